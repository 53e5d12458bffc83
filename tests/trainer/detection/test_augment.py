"""Augmentation moves boxes with the pixels, repeats itself from a seed, and can be switched off."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from trainer.detection.assignment import Truth
from trainer.detection.augment import augment, flip, mosaic
from trainer.parameters.detection import AUGMENTATIONS, augmentations
from trainer.training.augment import PARTS, AugmentationConfig

STILL = AugmentationConfig(
    degrees=0, shear=0, scale=0, stretch=0, shift=0, brightness=0, contrast=0, saturation=0, cast=0,
    blur=0, glare=0, noise=0, mosaic=0,
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


def marked(count: int) -> tuple[torch.Tensor, Truth]:
    """Pictures of one grey each with a white rectangle whose label is the picture's place."""
    pictures, truth = batch(count)
    pictures += torch.arange(count)[:, None, None, None] + 1.0
    return pictures.clamp(max=255), truth._replace(labels=torch.arange(count)[:, None].expand(count, 2))


def test_a_mosaic_holds_four_pictures_at_half_their_size_with_their_objects() -> None:
    pictures, truth = marked(8)
    made, moved = mosaic(pictures, truth, 1.0, torch.Generator().manual_seed(3))
    assert made.shape == pictures.shape
    assert (moved.valid.sum(1) == 4).all()
    for row in range(8):
        for x1, y1, x2, y2, label in torch.cat((moved.boxes[row], moved.labels[row][:, None]), 1)[
            moved.valid[row]
        ].tolist():
            assert (x2 - x1, y2 - y1) == (15, 12)
            assert made[row, 0, int(y1) : int(y2), int(x1) : int(x2)].min() == 255
            assert made[row, 0, int(y1) - 1, int(x1) - 1] == label + 1, (
                "the grey of the picture it comes from"
            )


def test_only_some_pictures_become_mosaics_and_the_others_stay() -> None:
    pictures, truth = marked(32)
    made, moved = mosaic(pictures, truth, 0.3, torch.Generator().manual_seed(3))
    same = moved.valid.sum(1) == 1
    assert 0 < same.sum() < 32
    assert torch.equal(made[same], pictures[same])
    assert torch.equal(moved.boxes[same, 0], truth.boxes[same, 0])
    nothing = mosaic(pictures, truth, 0.0, torch.Generator())
    assert torch.equal(nothing[0], pictures)


def test_true_is_everything_but_mosaic_and_false_is_nothing() -> None:
    assert AugmentationConfig.of(augmentations("True")) == AugmentationConfig()
    assert augmentations("false") == ()
    assert augmentations("mosaic, colour") == ("colour", "mosaic")
    with pytest.raises(ValueError, match="'flip'"):
        augmentations("colour, flip")


def test_every_name_changes_its_own_ranges_and_nothing_else() -> None:
    assert tuple(PARTS) == AUGMENTATIONS
    fields = [field for part in PARTS.values() for field in part]
    assert sorted(fields) == sorted(asdict(AugmentationConfig())), "each range has one name"
    for name in AUGMENTATIONS:
        config = asdict(AugmentationConfig.of([name]))
        assert {field for field, value in config.items() if value} == set(PARTS[name])
