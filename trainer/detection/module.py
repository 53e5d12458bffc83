"""The Lightning module: one optimizer step, and the collecting of detections in evaluations."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from trainer.detection.boxes import decode_boxes, expected_distances
from trainer.detection.budget import Budget, learning_rate_factor
from trainer.detection.evaluation import Evaluation, Figures, Outcome
from trainer.detection.losses import Losses, detection_loss
from trainer.detection.network import CompactDetector, NetworkConfig, Predictions
from trainer.detection.pictures import Batch
from trainer.detection.preparation import Preparation
from trainer.detection.replicas import Replicas, slices
from trainer.detection.suppression import detect
from trainer.errors import TrainerError

WEIGHT_DECAY = 0.05


class DivergedError(TrainerError):
    """The loss is no longer a number."""


class DetectionModule(lightning.LightningModule):
    """Trains ``CompactDetector`` with AdamW; the learning rate follows the budget.

    ``figures`` holds the latest evaluation; ``threshold`` is the score threshold chosen on validation, which
    the test split is judged by.
    """

    def __init__(
        self,
        config: NetworkConfig,
        classes: tuple[str, ...],
        budget: Budget,
        *,
        learning_rate: float,
        decay: bool,
        class_agnostic: bool,
        preparation: Preparation,
        replicas: int = 1,
    ) -> None:
        super().__init__()
        self.network = channels_last(CompactDetector(config))
        self.classes = classes
        self.budget = budget
        self.learning_rate = learning_rate
        self.current_learning_rate = learning_rate
        self.decay = decay
        self.class_agnostic = class_agnostic
        self.threshold: float | None = None
        self.figures: Figures | None = None
        self.evaluation = Evaluation(classes)
        self.preparation = preparation
        self._replicas = Replicas(self.network, replicas) if replicas > 1 else None
        self._gradients: list[Tensor] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; norms and biases are not decayed."""
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": WEIGHT_DECAY},
            {"params": vectors, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.99))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Set the learning rate from the budget: a scheduler that counts steps knows nothing of minutes."""
        factor = learning_rate_factor(self.budget.fraction(self.global_step), decay=self.decay)
        self.current_learning_rate = self.learning_rate * factor
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.current_learning_rate

    def on_train_start(self) -> None:
        if self._replicas:
            self._replicas.align()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        losses = self._losses(self.network, batch, 0) if self._replicas is None else self._shared(batch)
        if not math.isfinite(losses.total.item()):
            raise DivergedError(
                f"the loss became {losses.total.item()} at step {self.global_step}; "
                f"lower base_learning_rate (now {self.learning_rate:g}) or set precision=32"
            )
        return {
            "loss": losses.total,
            "classes": losses.classes.detach(),
            "boxes": losses.boxes.detach(),
            "sides": losses.sides.detach(),
        }

    def _losses(self, network: CompactDetector, batch: Batch, part: int) -> Losses:
        """Change the pictures and compute their losses."""
        changed = self.preparation.for_training(batch, self.global_step, part)
        return detection_loss(network(changed.pictures), changed.truth)

    def _shared(self, batch: Batch) -> Losses:
        """The losses of a batch that the replicas share; their gradients wait for ``backward``."""
        assert self._replicas is not None
        places = slices(len(batch.indices), len(self._replicas))

        def share(network: CompactDetector, part: int) -> Losses:
            # Autocast belongs to a thread: the one Lightning opened is not seen here.
            with self.trainer.precision_plugin.forward_context():
                return self._losses(network, batch.part(places[part]), part)

        losses, self._gradients = self._replicas.gradients(share)
        return losses

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Lightning's moment for gradients; the replicas have computed theirs already."""
        if self._replicas is None:
            super().backward(loss, *args, **kwargs)
            return
        for parameter, gradient in zip(self.network.parameters(), self._gradients, strict=True):
            parameter.grad = gradient

    def on_validation_epoch_start(self) -> None:
        self.evaluation = Evaluation(self.classes)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        self.figures = self.evaluation.figures()
        self.threshold = self.figures.threshold
        self.log_dict(dict(self.figures.metrics))

    def on_test_epoch_start(self) -> None:
        self.evaluation = Evaluation(self.classes)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self._collect(batch)

    def on_test_epoch_end(self) -> None:
        self.figures = self.evaluation.figures(self.threshold)

    def _collect(self, batch: Batch) -> None:
        boxes, scores = decode(self.network(self.preparation.for_evaluation(batch).pictures))
        for row, index in enumerate(batch.indices):
            valid = batch.truth.valid[row]
            found = detect(
                boxes[row].cpu().numpy(), scores[row].cpu().numpy(), class_agnostic=self.class_agnostic
            )
            truth = batch.truth.boxes[row][valid].cpu().numpy()
            labels = batch.truth.labels[row][valid].cpu().numpy()
            self.evaluation.add(Outcome(index, found, truth, labels))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["corespec"] = {"spent": self.budget.elapsed(), "threshold": self.threshold}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.budget.spent = checkpoint["corespec"]["spent"]
        self.threshold = checkpoint["corespec"]["threshold"]


def decode(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Boxes (B, N, 4) in input pixels and class probabilities (B, N, classes)."""
    distances = expected_distances(predictions.distributions)
    return decode_boxes(distances, predictions.points, predictions.strides), predictions.logits.sigmoid()


def channels_last(network: CompactDetector) -> CompactDetector:
    """The network with its convolutions in the memory order that CPUs and GPUs compute fastest in."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
