"""What the network is punished for: wrong classes, boxes that overlap badly, blurred sides."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.detection.assignment import Assignment, Truth, assign
from trainer.detection.boxes import decode_boxes, encode_boxes, expected_distances, generalized_iou
from trainer.detection.network import Predictions

CLASS_WEIGHT = 3.0
BOX_WEIGHT = 10.0
SIDE_WEIGHT = 3.0


class Losses(NamedTuple):
    """Scalars, each with its weight applied; ``total`` is their sum."""

    total: Tensor
    classes: Tensor
    boxes: Tensor
    sides: Tensor


def detection_loss(predictions: Predictions, truth: Truth) -> Losses:
    """Quality-weighted binary cross entropy + GIoU + distribution focal loss, all in float32.

    Every part is divided by the summed quality of the batch, so that pictures full of objects weigh as
    much as their objects deserve and an empty batch only pushes scores down.
    """
    decoded = decode_boxes(
        expected_distances(predictions.distributions), predictions.points, predictions.strides
    )
    assignment = assign(predictions.logits.sigmoid(), decoded, predictions.points, truth)
    total_quality = assignment.quality.sum().clamp(min=1.0)
    classes = functional.binary_cross_entropy_with_logits(
        predictions.logits, assignment.quality, reduction="sum"
    )
    boxes, sides = _box_losses(predictions, decoded, truth, assignment)
    parts = (
        CLASS_WEIGHT * classes / total_quality,
        BOX_WEIGHT * boxes / total_quality,
        SIDE_WEIGHT * sides / total_quality,
    )
    return Losses(torch.stack(parts).sum(), *parts)


def _box_losses(
    predictions: Predictions, decoded: Tensor, truth: Truth, assignment: Assignment
) -> tuple[Tensor, Tensor]:
    """Sums over the foreground points, weighted by their quality: GIoU loss and focal loss of the sides."""
    foreground = assignment.foreground
    if not foreground.any():
        nothing = predictions.distributions.sum() * 0
        return nothing, nothing
    targets = truth.boxes.gather(1, assignment.objects[..., None].expand(-1, -1, 4))
    weights = assignment.quality.sum(-1)[foreground]
    overlap = generalized_iou(decoded[foreground], targets[foreground])
    distances = encode_boxes(targets, predictions.points, predictions.strides)[foreground]
    sides = distribution_focal_loss(predictions.distributions[foreground], distances)
    return ((1 - overlap) * weights).sum(), (sides * weights).sum()


def distribution_focal_loss(distributions: Tensor, distances: Tensor) -> Tensor:
    """Cross entropy against the two bins around each true distance: (K, 4, bins), (K, 4) to (K,).

    Distances beyond the last bin are cut to it; the mean runs over the four sides.
    """
    bins = distributions.shape[-1]
    distances = distances.clamp(0, bins - 1 - 0.01)
    lower = distances.long()
    share = distances - lower
    logarithms = distributions.log_softmax(-1)
    below = logarithms.gather(-1, lower[..., None])[..., 0]
    above = logarithms.gather(-1, lower[..., None] + 1)[..., 0]
    return -(below * (1 - share) + above * share).mean(-1)
