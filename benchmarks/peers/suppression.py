"""Non-maximum suppression in plain torch, for a torchvision whose native library does not load.

Without it neither ssdlite nor YOLO can predict beside a CPU build of torch; where torchvision is whole its
own kernel is used.
"""

from __future__ import annotations

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the kept boxes, best first; same meaning as `torchvision.ops.nms`."""
    order = scores.argsort(descending=True)
    overlaps = _overlaps(boxes[order])
    kept = torch.ones(len(order), dtype=torch.bool)
    for place in range(len(order)):
        if kept[place]:
            kept[place + 1 :] &= overlaps[place, place + 1 :] <= iou_threshold
    return order[kept]


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """The same within each class: classes are moved apart so that they never overlap."""
    if boxes.numel() == 0:
        return torch.empty(0, dtype=torch.int64)
    offsets = idxs.to(boxes) * (boxes.max() + 1)
    return nms(boxes + offsets[:, None], scores, iou_threshold)


def install() -> None:
    """Make torchvision importable, and give it this suppression where it has none of its own."""
    from trainer.torchvision_remedy import ensure_torchvision

    if ensure_torchvision() == "native":
        return
    import torchvision

    torchvision.ops.nms = torchvision.ops.boxes.nms = nms
    torchvision.ops.batched_nms = torchvision.ops.boxes.batched_nms = batched_nms


def _overlaps(boxes: Tensor) -> Tensor:
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (areas[:, None] + areas[None, :] - shared).clamp(min=1e-9)
