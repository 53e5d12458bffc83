"""Augmentation moves boxes with the pixels, repeats itself from a seed, and can be switched off."""

from __future__ import annotations

from dataclasses import replace

import torch

from trainer.detection.assignment import Truth
from trainer.detection.augment import augment, flip
from trainer.training.augment import AugmentationConfig

STILL = AugmentationConfig(
    degrees=0, shear=0, scale=0, stretch=0, shift=0, brightness=0, contrast=0, saturation=0, cast=0,
    blur=0, glare=0, noise=0,
)  # fmt: skip


def batch(count: int = 8) -> tuple[torch.Tensor, Truth]:
    """White rectangles on black with their boxes, one a picture and one padding."""
    pictures = torch.zeros(count, 3, 64, 96)
    pictures[:, :, 20:44, 30:60] = 255
    boxes = torch.zeros(count, 2, 4)
    boxes[:, 0] = torch.tensor([30.0, 20.0, 60.0, 44.0])
    valid = torch.tensor([True, False]).expand(count, 2)
    return pictures, Truth(boxes, torch.zeros(count, 2, dtype=torch.int64), valid)


def test_the_same_seed_gives_the_same_batch() -> None:
    pictures, truth = batch()
    first = augment(pictures.clone(), truth, AugmentationConfig(), torch.Generator().manual_seed(3))
    again = augment(pictures.clone(), truth, AugmentationConfig(), torch.Generator().manual_seed(3))
    other = augment(pictures.clone(), truth, AugmentationConfig(), torch.Generator().manual_seed(4))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1].boxes, again[1].boxes)
    assert not torch.equal(first[0], other[0])


def test_nothing_drawn_means_nothing_changed() -> None:
    pictures, truth = batch()
    changed, moved = augment(pictures.clone(), truth, STILL, torch.Generator())
    torch.testing.assert_close(changed, pictures, atol=0.05, rtol=0)
    torch.testing.assert_close(moved.boxes, truth.boxes)


def test_boxes_follow_scale_stretch_and_shift_exactly() -> None:
    pictures, truth = batch()
    config = replace(STILL, scale=0.2, stretch=0.15, shift=0.1)
    changed, moved = augment(pictures, truth, config, torch.Generator().manual_seed(1))
    for row in range(len(changed)):
        _, ys, xs = torch.nonzero(changed[row] > 128, as_tuple=True)
        seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], dtype=torch.float32)
        torch.testing.assert_close(moved.boxes[row, 0], seen, atol=1.0, rtol=0)


def test_a_turned_box_stays_close_around_its_pixels() -> None:
    pictures, truth = batch()
    changed, moved = augment(pictures, truth, replace(STILL, degrees=8), torch.Generator().manual_seed(2))
    for row in range(len(changed)):
        _, ys, xs = torch.nonzero(changed[row] > 128, as_tuple=True)
        seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], dtype=torch.float32)
        torch.testing.assert_close(moved.boxes[row, 0], seen, atol=3.0, rtol=0)


def test_boxes_keep_their_size_on_pictures_that_are_turned() -> None:
    """Else the network would learn boxes that are too large for pictures that are not."""
    pictures, truth = batch()
    _, moved = augment(pictures, truth, replace(STILL, degrees=4, shear=2), torch.Generator().manual_seed(4))
    sizes = moved.boxes[:, 0, 2:] - moved.boxes[:, 0, :2]
    torch.testing.assert_close(sizes, torch.tensor([30.0, 24.0]).expand(8, 2), atol=0.1, rtol=0)


def test_a_box_that_leaves_the_picture_is_no_object_any_more() -> None:
    pictures, truth = batch(64)
    _, moved = augment(pictures, truth, replace(STILL, shift=0.9), torch.Generator().manual_seed(2))
    assert not moved.valid[:, 0].all()
    assert moved.valid[:, 0].any()
    kept = moved.boxes[moved.valid]
    assert bool((kept >= 0).all() & (kept[:, 2] <= 96).all() & (kept[:, 3] <= 64).all())
    assert not moved.valid[:, 1].any()


def test_pixels_stay_bytes() -> None:
    pictures, truth = batch(32)
    wild = AugmentationConfig(brightness=200, contrast=0.9, blur=1, glare=1, noise=1)
    changed, _ = augment(pictures, truth, wild, torch.Generator().manual_seed(5))
    assert -0.01 <= changed.min() <= changed.max() <= 255.01  # resampling rounds


def test_mirroring_turns_pixels_and_boxes_of_some_pictures() -> None:
    pictures, truth = batch(16)
    changed, moved = flip(pictures, truth, torch.Generator().manual_seed(0))
    mirrored = moved.boxes[:, 0, 0] == 36
    assert 0 < mirrored.sum() < 16
    for row in torch.nonzero(mirrored)[:, 0]:
        assert torch.equal(changed[row], pictures[row].flip(2))
        assert moved.boxes[row, 0].tolist() == [36, 20, 66, 44]
