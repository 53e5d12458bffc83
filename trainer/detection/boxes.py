"""Arithmetic on boxes in PyTorch. Boxes are x1, y1, x2, y2 in input pixels unless a name says otherwise."""

from __future__ import annotations

import torch
from torch import Tensor


def expected_distances(distributions: Tensor) -> Tensor:
    """Mean of each distribution (..., 4, bins), unnormalised, in units of the stride: (..., 4)."""
    positions = torch.arange(distributions.shape[-1], device=distributions.device, dtype=distributions.dtype)
    return (distributions.softmax(-1) * positions).sum(-1)


def decode_boxes(distances: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Distances (..., N, 4) left, top, right, bottom in strides, from points (N, 2), to boxes (..., N, 4)."""
    scaled = distances * strides[:, None]
    return torch.cat((points - scaled[..., :2], points + scaled[..., 2:]), dim=-1)


def encode_boxes(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """The inverse of ``decode_boxes``; negative where a point lies outside its box."""
    return torch.cat((points - boxes[..., :2], boxes[..., 2:] - points), dim=-1) / strides[:, None]


def areas(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4); 0 for boxes that are turned inside out."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: (B, M, 4) and (B, N, 4) to (B, M, N), within [0, 1]."""
    first, second = first[..., :, None, :], second[..., None, :, :]
    overlap = _intersection(first, second)
    return overlap / (areas(first) + areas(second) - overlap).clamp(min=1e-9)


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """GIoU (arXiv 1902.09630) of boxes side by side: two (K, 4) to (K,), within [-1, 1]."""
    overlap = _intersection(first, second)
    union = areas(first) + areas(second) - overlap
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    hull = (high - low).clamp(min=0)
    hull_area = hull[..., 0] * hull[..., 1]
    return overlap / union.clamp(min=1e-9) - (hull_area - union) / hull_area.clamp(min=1e-9)


def _intersection(first: Tensor, second: Tensor) -> Tensor:
    # Side by side instead of prod(-1): reductions over a last axis of two are many times slower.
    x1, y1, x2, y2 = first.unbind(-1)
    other_x1, other_y1, other_x2, other_y2 = second.unbind(-1)
    width = torch.minimum(x2, other_x2) - torch.maximum(x1, other_x1)
    height = torch.minimum(y2, other_y2) - torch.maximum(y1, other_y1)
    return width.clamp(min=0) * height.clamp(min=0)
