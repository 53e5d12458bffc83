"""Which prediction point learns which object: task-aligned assignment (TOOD, arXiv 2108.07755)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from trainer.detection.boxes import pairwise_iou


class Truth(NamedTuple):
    """The objects of a batch, padded to M a picture.

    ``boxes`` (B, M, 4) in input pixels; ``labels`` (B, M) class indices, 0 where padded; ``valid`` (B, M).
    """

    boxes: Tensor
    labels: Tensor
    valid: Tensor


class Assignment(NamedTuple):
    """For each of N points: is it an object (B, N), which one (B, N), how well placed (B, N, classes).

    ``quality`` is the classification target: the alignment of the point, scaled so that the best point of
    an object gets the best overlap reached for that object; 0 for background.
    """

    foreground: Tensor
    objects: Tensor
    quality: Tensor


@torch.no_grad()
def assign(
    scores: Tensor,
    boxes: Tensor,
    points: Tensor,
    truth: Truth,
    *,
    top: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Assignment:
    """Give each object the ``top`` points inside it with the highest ``score^alpha * IoU^beta``.

    ``scores`` (B, N, classes) are probabilities, ``boxes`` (B, N, 4) the predicted boxes, ``points`` (N, 2).
    A point claimed twice goes to the object it overlaps most. An object that contains no point (smaller
    than a cell) gets the point nearest to its centre, so that no object is ever without a teacher.
    """
    if truth.boxes.shape[1] == 0:
        empty = torch.zeros(scores.shape[:2], dtype=torch.bool, device=scores.device)
        return Assignment(empty, empty.long(), torch.zeros_like(scores))
    distance = _centre_distance(points, truth)
    candidates = _candidates(points, truth, distance)
    overlap = pairwise_iou(truth.boxes, boxes) * candidates
    index = truth.labels[:, None].expand(-1, scores.shape[1], -1)
    own_scores = scores.gather(2, index).transpose(1, 2)
    alignment = own_scores.pow(alpha) * overlap.pow(beta)
    # A tiny bonus for nearness breaks ties at the start, when no prediction overlaps anything yet.
    ranking = alignment + 1e-9 * candidates / (1 + distance)
    chosen = _top(ranking, top) & candidates
    chosen = _one_object_a_point(chosen, overlap)
    objects = chosen.to(torch.int64).argmax(1)
    return Assignment(chosen.any(1), objects, _quality(chosen, alignment, overlap, truth, objects, scores))


def _candidates(points: Tensor, truth: Truth, distance: Tensor) -> Tensor:
    """Points strictly inside each object (B, M, N), or the nearest one where there is none."""
    x, y = points.unbind(-1)
    x1, y1, x2, y2 = truth.boxes[..., None, :].unbind(-1)
    inside = (x > x1) & (x < x2) & (y > y1) & (y < y2)
    nearest = torch.zeros_like(inside).scatter(2, distance.argmin(-1, keepdim=True), value=True)
    return torch.where(inside.any(-1, keepdim=True), inside, nearest) & truth.valid[..., None]


def _centre_distance(points: Tensor, truth: Truth) -> Tensor:
    """Distance of every point from every object's centre, in pixels along both axes summed: (B, M, N)."""
    centres = (truth.boxes[..., :2] + truth.boxes[..., 2:]) / 2
    return (centres[..., None, 0] - points[:, 0]).abs() + (centres[..., None, 1] - points[:, 1]).abs()


def _top(ranking: Tensor, top: int) -> Tensor:
    kept = ranking.topk(min(top, ranking.shape[-1]), dim=-1).indices
    return torch.zeros_like(ranking, dtype=torch.bool).scatter(2, kept, value=True)


def _one_object_a_point(chosen: Tensor, overlap: Tensor) -> Tensor:
    """Leave a point that several objects chose to the one with the highest overlap."""
    best = torch.where(chosen, overlap, -1.0).argmax(1, keepdim=True)
    return chosen & torch.zeros_like(chosen).scatter(1, best, value=True)


def _quality(
    chosen: Tensor, alignment: Tensor, overlap: Tensor, truth: Truth, objects: Tensor, scores: Tensor
) -> Tensor:
    alignment = alignment * chosen
    strongest = alignment.amax(-1, keepdim=True)
    reached = (overlap * chosen).amax(-1, keepdim=True)
    value = (alignment / strongest.clamp(min=1e-12) * reached).amax(1)
    labels = truth.labels.gather(1, objects)
    return torch.zeros_like(scores).scatter(2, labels[..., None], value[..., None])
