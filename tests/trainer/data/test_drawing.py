"""Drawn counters: same seed, same bytes; boxes that hold their digit; a dataset that passes its own check."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from trainer.data.check import inspect
from trainer.data.drawing.counter import (
    Cell,
    draw_counter,
    geometry,
    sample_positions,
    shown_digit,
)
from trainer.data.drawing.dataset import draw_dataset, draw_picture
from trainer.data.drawing.effects import choose_view, fit_homography, visible_box, warp
from trainer.data.drawing.glyphs import Hand, digit_mask
from trainer.data.drawing.styles import Look, sample_look
from trainer.parameters.detection import parse

HANDS = [
    Hand(),
    Hand(weight=0.16, squareness=3.3, footed_one=True, open_four=True, flat_three=True, round_ends=False),
    Hand(family="segments", weight=0.11, slant=0.1, round_ends=False),
    Hand(family="font", weight=0.13),
]


def look(kind: str, **changes: object) -> Look:
    """The first look of that kind, changed where a test needs it."""
    looks = (sample_look(Random(seed)) for seed in range(100))
    return replace(next(item for item in looks if item.kind == kind), **changes)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Every file of two drawings is equal; another seed differs."""
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        draw_dataset(tmp_path / name, 12, seed)
    files = {name: _contents(tmp_path / name) for name in ("one", "two", "other")}
    assert files["one"] == files["two"]
    assert files["one"] != files["other"]


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_picture_does_not_depend_on_the_others() -> None:
    """More pictures with the same seed extend a dataset and change none of it."""
    alone = draw_picture(3, 17)
    for index in range(3):
        draw_picture(3, index)
    again = draw_picture(3, 17)
    assert alone.picture.tobytes() == again.picture.tobytes()
    assert alone.marks == again.marks


def test_the_dataset_passes_the_check_and_reads_as_its_list_says(tmp_path: Path) -> None:
    """Sound, split 80/10/10, every reading is its digits from left to right."""
    draw_dataset(tmp_path / "counters", 40, 1)
    inspection = inspect(tmp_path / "counters", parse({}))
    assert inspection.dataset is not None
    assert not inspection.report.warnings
    pictures = {p.stem: p for split in inspection.dataset.splits.values() for p in split}
    assert [len(split) for split in inspection.dataset.splits.values()] == [32, 4, 4]
    with (tmp_path / "counters/readings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    for row in rows:
        boxes = pictures[row["image"]].boxes
        assert "".join(box.label for box in sorted(boxes, key=lambda box: box.xmin)) == row["reading"]
        assert 4 <= len(boxes) <= 8


@pytest.mark.parametrize("index", range(12))
def test_no_digit_is_cut_off_by_the_picture(index: int) -> None:
    """Every mark lies inside and is large enough to be read."""
    drawing = draw_picture(21, index)
    width, height = drawing.picture.size
    for mark in drawing.marks:
        assert 0 <= mark.xmin < mark.xmax <= width
        assert 0 <= mark.ymin < mark.ymax <= height
        assert mark.ymax - mark.ymin >= 6


@pytest.mark.parametrize("hand", HANDS)
def test_ten_digits_fill_their_cell_and_differ(hand: Hand) -> None:
    """No empty glyph, no glyph twice; the ink spans the height of the cell, so that a box is tight."""
    masks = [digit_mask(hand, digit, 30, 52) for digit in range(10)]
    assert len({mask.tobytes() for mask in masks}) == 10
    for digit, mask in enumerate(masks):
        box = mask.point(lambda value: 255 * (value > 64)).getbbox()
        assert box is not None
        assert box[3] - box[1] >= (40 if hand.family == "segments" and digit in (1, 4, 7) else 44)


def test_the_cell_is_where_the_ink_is() -> None:
    """White digits on black, nothing else: all ink on the wheel lies inside the reported cells."""
    plain = look(
        "drums", wheel=(0, 0, 0), ink=(255, 255, 255), decimals=0, digits=4, shading=0.0,
        frame="slots", frame_colour=(0, 0, 0), hand=HANDS[0], window_height=1.2, pitch=1.6,
    )  # fmt: skip
    shape = geometry(plain, 60)
    canvas = Image.new("RGB", (shape.width(4) + 20, shape.height + 20))
    cells = draw_counter(canvas, plain, shape, (10, 10), (8.0, 0.0, 3.0, 6.0))
    outside = canvas.convert("L")
    for cell in cells:
        inside = outside.crop((int(cell.left), int(cell.top), int(cell.right), int(cell.bottom)))
        assert inside.getextrema()[1] == 255
        outside.paste(0, (int(cell.left), int(cell.top), int(cell.right), int(cell.bottom)))
    assert outside.getbbox() is None


@pytest.mark.parametrize(
    ("position", "digit"), [(3.0, 3), (3.42, 3), (3.58, 4), (9.6, 0), (9.97, 0), (0.04, 0)]
)
def test_the_label_is_the_digit_that_shows_more(position: float, digit: int) -> None:
    """From 9 the next is 0."""
    assert shown_digit(position) == digit


@given(st.integers(0, 10_000))
def test_turning_wheels_obey_the_carry(seed: int) -> None:
    """Only a tail of wheels turns, at one fraction, and all of it but its first wheel stands at 9."""
    positions = sample_positions(look("drums", digits=6), Random(seed))
    turning = [index for index, value in enumerate(positions) if 0.08 < value % 1 < 0.92]
    assert turning == list(range(6 - len(turning), 6))
    for index in turning[1:]:
        assert math.floor(positions[index]) == 9
        assert positions[index] % 1 == pytest.approx(positions[turning[0]] % 1)
    assert all(abs(value % 1 - 0.5) > 0.07 for value in positions)


def test_turned_digits_are_a_minority() -> None:
    """Hard cases are there, and few: between one in twenty and one in four counters."""
    looks = [sample_look(Random(f"look{seed}")) for seed in range(400)]
    positions = [sample_positions(item, Random(f"at{seed}")) for seed, item in enumerate(looks)]
    turning = sum(any(0.08 < value % 1 < 0.92 for value in row) for row in positions)
    assert 20 <= turning <= 100


def test_a_rolling_box_ends_where_the_window_ends() -> None:
    """Turned by 0.4, the digit leaves at the top: its box begins at the window and is the shorter for it."""
    turned = look("drums", digits=4, window_height=1.2, pitch=1.4)
    shape = geometry(turned, 50)
    canvas = Image.new("RGB", (shape.width(4), shape.height))
    cells = draw_counter(canvas, turned, shape, (0, 0), (1.0, 2.0, 3.0, 4.4))
    assert cells[3].top == shape.margin
    assert cells[3].bottom - cells[3].top < cells[0].bottom - cells[0].top == 50
    assert cells[3].label == "4"


def test_segments_off_are_hardly_visible() -> None:
    """A 1 on glass keeps the ghost of an 8, far fainter than the ink."""
    glass = look("lcd", decimals=0, digits=4, wheel=(200, 200, 200), ink=(0, 0, 0))
    shape = geometry(glass, 60)
    canvas = Image.new("RGB", (shape.width(4), shape.height))
    cell = draw_counter(canvas, glass, shape, (0, 0), (1.0, 1.0, 1.0, 1.0))[0]
    left_half = canvas.convert("L").crop(
        (int(cell.left), int(cell.top), int((cell.left + cell.right) / 2), int(cell.bottom))
    )
    assert 170 < left_half.getextrema()[0] < 200


@given(st.integers(0, 10_000))
def test_a_homography_maps_its_corners_and_back(seed: int) -> None:
    """Four points go where they were told, and the inverse brings any point back."""
    rng = Random(seed)
    square = [(0.0, 0.0), (300.0, 0.0), (300.0, 100.0), (0.0, 100.0)]
    targets = [(x + rng.uniform(-20, 20), y + rng.uniform(-20, 20)) for x, y in square]
    there, back = fit_homography(square, targets), fit_homography(targets, square)
    for point, target in zip(square, targets, strict=True):
        assert there(point) == pytest.approx(target, abs=1e-6)
    assert back(there((120.0, 40.0))) == pytest.approx((120.0, 40.0), abs=1e-6)


def test_the_box_follows_the_warp() -> None:
    """A white cell on a black canvas, warped: the ink's own bounding box is the computed one, to a pixel."""
    cell = Cell("0", 200, 60, 240, 130)
    canvas = Image.new("RGB", (540, 200))
    canvas.paste((255, 255, 255), (200, 60, 240, 130))
    for seed in range(5):
        view = choose_view(canvas.size, (400, 148), [cell], Random(seed))
        ink = warp(canvas, view, (400, 148)).convert("L").point(lambda value: 255 * (value > 127)).getbbox()
        assert ink is not None
        assert visible_box(cell, view) == pytest.approx(ink, abs=1.5)


def test_pictures_are_not_alike() -> None:
    """A handful of drawings differ in size, look and digits."""
    drawings = [draw_picture(5, index) for index in range(6)]
    assert len({drawing.reading for drawing in drawings}) == 6
    assert len({drawing.picture.size for drawing in drawings}) == 6
    first, second = (drawing.picture.resize((64, 32)) for drawing in drawings[:2])
    assert ImageChops.difference(first, second).getbbox() is not None
