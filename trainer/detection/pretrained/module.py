"""The Lightning module of a larger detector: the library computes the losses, everything else is as ever."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from trainer.detection.assignment import Truth
from trainer.detection.losses import Losses
from trainer.detection.module import DetectionModule
from trainer.detection.pictures import Batch
from trainer.training.module import TrainedModule

CLASS_LOSSES = ("loss_vfl", "loss_ce", "loss_focal")
BOX_LOSSES = ("loss_bbox", "loss_giou")


class PretrainedModule(DetectionModule):
    """Trains a detector of the `transformers` library."""

    nms_free: ClassVar[bool] = True

    @override
    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, which the authors trained with: Muon is tuned to the compact detector."""
        return TrainedModule.configure_optimizers(self)

    @override
    def losses(self, network: Any, batch: Batch, part: int) -> Losses:
        changed = self.preparation.for_training(batch, self.global_step, part)
        height, width = changed.pictures.shape[2:]
        labels = [objects(changed.truth, row, width, height) for row in range(len(batch.indices))]
        result = network(pixel_values=changed.pictures / 255, labels=labels)
        parts = result.loss_dict
        classes = _sum(parts, CLASS_LOSSES, result.loss)
        boxes = _sum(parts, BOX_LOSSES, result.loss)
        return Losses(result.loss, classes, boxes, result.loss - classes - boxes)

    @override
    def found(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return find(self.network, pictures)


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to boxes (B, N, 4) and scores (B, N, classes)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return find(self.network, pictures.float())


def find(network: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (B, N, 4) in input pixels and class probabilities (B, N, classes) of pictures, 0-255."""
    result = network(pixel_values=pictures / 255)
    centres, sizes = result.pred_boxes.float().split(2, -1)
    scale = torch.tensor([pictures.shape[3], pictures.shape[2]] * 2, device=pictures.device)
    boxes = torch.cat((centres - sizes / 2, centres + sizes / 2), -1) * scale
    return boxes, result.logits.float().sigmoid()


def objects(truth: Truth, row: int, width: int, height: int) -> dict[str, Tensor]:
    """One picture's objects as the library wants them: centres and sizes as shares of the picture."""
    boxes = truth.boxes[row][truth.valid[row]]
    scale = boxes.new_tensor([width, height])
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return {
        "class_labels": truth.labels[row][truth.valid[row]],
        "boxes": torch.cat((centres / scale, sizes / scale), -1),
    }


def _sum(parts: dict[str, Tensor], names: tuple[str, ...], like: Tensor) -> Tensor:
    """What the losses of these names add up to, over all layers of the decoder."""
    return sum((value for name, value in parts.items() if name.startswith(names)), torch.zeros_like(like))
