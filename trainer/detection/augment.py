"""Changing pictures together with the boxes on them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from trainer.detection.assignment import Truth
from trainer.training.augment import AugmentationConfig, change, mirror


def augment(
    pictures: Tensor, truth: Truth, config: AugmentationConfig, random: torch.Generator
) -> tuple[Tensor, Truth]:
    """Photometric and affine changes of pictures (B, 3, H, W), 0-255, and of the boxes on them.

    A box is moved and scaled with the pixels and stays upright; one that leaves the picture by more than
    two thirds is no longer an object.
    """
    if config.mosaic:
        pictures, truth = mosaic(pictures, truth, config.mosaic, random)
    changed, matrices = change(pictures, config, random)
    return changed, _move(truth, matrices, pictures.shape[3], pictures.shape[2])


def flip(pictures: Tensor, truth: Truth, random: torch.Generator) -> tuple[Tensor, Truth]:
    """Mirror half of the pictures left to right."""
    flipped, mirrored = mirror(pictures, random)
    width = pictures.shape[3]
    x1, y1, x2, y2 = truth.boxes.unbind(-1)
    turned = torch.stack((width - x2, y1, width - x1, y2), -1)
    boxes = torch.where(mirrored[:, None, None], turned, truth.boxes)
    return flipped, truth._replace(boxes=boxes)


def mosaic(pictures: Tensor, truth: Truth, share: float, random: torch.Generator) -> tuple[Tensor, Truth]:
    """Put four pictures of the batch, at half their size, in the place of about ``share`` of the pictures."""
    count, _, height, width = pictures.shape
    chosen = torch.nonzero(torch.rand(count, generator=random) < share)[:, 0]
    if not len(chosen):
        return pictures, truth
    sources = torch.randint(count, (len(chosen), 4), generator=random).to(pictures.device)
    chosen = chosen.to(pictures.device)
    corners = torch.tensor([(0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)])
    halved = functional.avg_pool2d(pictures, 2)
    made = pictures.clone()
    for quarter, (left, top) in enumerate(corners.tolist()):
        made[chosen, :, top : top + height // 2, left : left + width // 2] = halved[sources[:, quarter]]
    return made, _gathered(truth, chosen, sources, corners.to(pictures))


def _gathered(truth: Truth, chosen: Tensor, sources: Tensor, corners: Tensor) -> Truth:
    """The objects of the mosaics (K,) among the others, all padded to four times as many."""
    boxes = truth.boxes[sources] / 2 + corners.repeat(1, 2)[None, :, None]
    more = 3 * truth.boxes.shape[1]
    padded = Truth(
        functional.pad(truth.boxes, (0, 0, 0, more)),
        functional.pad(truth.labels, (0, more)),
        functional.pad(truth.valid, (0, more)),
    )
    return Truth(
        padded.boxes.index_copy(0, chosen, boxes.flatten(1, 2)),
        padded.labels.index_copy(0, chosen, truth.labels[sources].flatten(1, 2)),
        padded.valid.index_copy(0, chosen, truth.valid[sources].flatten(1, 2)),
    )


def _move(truth: Truth, matrices: Tensor, width: int, height: int) -> Truth:
    boxes = truth.boxes
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    halves = (boxes[..., 2:] - boxes[..., :2]) / 2
    linear, offset = matrices[:, :, :2], matrices[:, :, 2]
    moved = centres @ linear.transpose(1, 2) + offset[:, None]
    # The objects' own sizes, not those of their turned hulls: boxes around what is turned by a few degrees
    # in training would be a little large around everything that is not turned.
    halves = halves * torch.stack((linear[:, 0].norm(dim=-1), linear[:, 1].norm(dim=-1)), -1)[:, None]
    whole = torch.cat((moved - halves, moved + halves), -1)
    limits = torch.tensor([width, height, width, height], device=boxes.device, dtype=boxes.dtype)
    cut = torch.minimum(whole.clamp(min=0), limits)
    left_over = (cut[..., 2:] - cut[..., :2]).clamp(min=0)
    full = (whole[..., 2:] - whole[..., :2]).clamp(min=1e-6)
    seen = (left_over / full).prod(-1)
    valid = truth.valid & (seen > 1 / 3) & (left_over > 1).all(-1)
    return Truth(torch.where(valid[..., None], cut, 0.0), truth.labels, valid)
