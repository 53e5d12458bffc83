"""Digits as objects, put in order and read."""

from __future__ import annotations

import functools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.drawing.dataset import draw_picture
from trainer.detection.reading import are_characters, are_digits, edit_distance, read, spell
from trainer.detection.suppression import Detections, Floats

CLASSES = tuple("0123456789")


def row(count: int, degrees: float = 0.0, spacing: float = 20.0) -> Floats:
    """``count`` boxes of 10 x 16 along a line at that angle."""
    places = np.arange(count) * spacing
    x, y = 100 + places * math.cos(math.radians(degrees)), 100 + places * math.sin(math.radians(degrees))
    return np.stack([x - 5, y - 8, x + 5, y + 8], 1).astype(np.float32)


def found(boxes: Floats, labels: list[int]) -> Detections:
    scores = np.linspace(0.9, 0.5, len(labels)).astype(np.float32)
    return Detections(boxes, scores, np.array(labels, dtype=np.int64))


@given(st.permutations(range(6)), st.floats(-80, 80))
def test_digits_are_read_left_to_right_at_any_tilt_and_in_any_order_of_detection(
    order: list[int], degrees: float
) -> None:
    boxes = row(6, degrees)[order]
    assert spell(boxes, np.array(order), CLASSES) == "012345"


def test_a_wide_gap_is_flagged_as_a_missing_wheel() -> None:
    reading = read(found(row(6)[[0, 1, 2, 4, 5]], [1, 2, 3, 5, 6]), CLASSES)
    assert reading.text == "123?56"
    assert not reading.complete


def test_an_even_row_is_complete_and_as_sure_as_its_weakest_digit() -> None:
    reading = read(found(row(4), [0, 4, 0, 7]), CLASSES)
    assert reading.text == "0407"
    assert reading.complete
    assert reading.confidence == pytest.approx(0.5)


@pytest.mark.parametrize(("count", "text"), [(0, ""), (1, "0"), (2, "01")])
def test_short_rows_claim_no_gap(count: int, text: str) -> None:
    assert read(found(row(count, spacing=90), list(range(count))), CLASSES).text == text


def test_what_counts_as_digits_and_characters() -> None:
    assert are_digits(("0", "1"))
    assert not are_digits(("0", "A"))
    assert not are_digits(())
    assert are_characters(("0", "A"))
    assert not are_characters(("cell", "7"))


def turned(boxes: Floats, degrees: float) -> Floats:
    """The upright hulls of boxes that were turned, as a detector sees digits of a tilted counter."""
    corners = np.stack([boxes[:, [0, 1]], boxes[:, [2, 1]], boxes[:, [2, 3]], boxes[:, [0, 3]]], 1)
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = (corners - 200) @ turn.T + 200
    return np.concatenate([moved.min(1), moved.max(1)], 1).astype(np.float32)


@functools.cache
def drawn(index: int) -> tuple[Floats, tuple[int, ...], str]:
    """Boxes, labels and reading of a drawn counter: digits of real shapes at real distances."""
    drawing = draw_picture(7, index)
    boxes = np.array([(m.xmin, m.ymin, m.xmax, m.ymax) for m in drawing.marks], dtype=np.float32)
    return boxes, tuple(int(m.label) for m in drawing.marks), drawing.reading


COUNTERS = st.integers(0, 24)
TILTS = st.floats(-30, 30)


@given(COUNTERS, TILTS, st.randoms(use_true_random=False))
def test_drawn_counters_turned_by_up_to_thirty_degrees_are_read(
    index: int, degrees: float, random: Random
) -> None:
    boxes, labels, text = drawn(index)
    order = random.sample(range(len(labels)), len(labels))
    reading = read(found(turned(boxes, degrees)[order], [labels[place] for place in order]), CLASSES)
    assert reading.text == text
    assert reading.complete


@given(COUNTERS, TILTS, st.data())
def test_a_digit_that_was_not_found_is_reported_at_its_place(
    index: int, degrees: float, data: st.DataObject
) -> None:
    boxes, labels, text = drawn(index)
    missing = data.draw(st.integers(1, len(labels) - 2))
    kept = [place for place in range(len(labels)) if place != missing]
    reading = read(found(turned(boxes, degrees)[kept], [labels[place] for place in kept]), CLASSES)
    assert reading.text == text[:missing] + "?" + text[missing + 1 :]
    assert not reading.complete


@given(COUNTERS, TILTS, st.data())
def test_of_two_digits_on_one_wheel_the_surest_is_read(
    index: int, degrees: float, data: st.DataObject
) -> None:
    """A wheel between two digits shows parts of both, one above the other."""
    boxes, labels, text = drawn(index)
    wheel = data.draw(st.integers(0, len(labels) - 1))
    share = data.draw(st.floats(-0.45, 0.45))
    height = boxes[wheel, 3] - boxes[wheel, 1]
    other = boxes[wheel] + np.array([0, share, 0, share], dtype=np.float32) * height
    reading = read(
        found(turned(np.concatenate([boxes, other[None]]), degrees), [*labels, (labels[wheel] + 1) % 10]),
        CLASSES,
    )
    assert reading.text == text
    assert len(reading.order) == len(labels)


@given(COUNTERS, TILTS, st.floats(0.9, 3), st.booleans())
def test_what_lies_off_the_baseline_is_not_read(
    index: int, degrees: float, distance: float, above: bool
) -> None:
    """Digits of a serial number below the counter."""
    boxes, labels, text = drawn(index)
    height = boxes[0, 3] - boxes[0, 1]
    stray = boxes[:1] + np.array([0, height, 0, height], dtype=np.float32) * (
        -distance if above else distance
    )
    reading = read(found(turned(np.concatenate([boxes, stray]), degrees), [*labels, 9]), CLASSES)
    assert reading.text == text


def test_of_three_wheels_the_middle_one_is_missed() -> None:
    """Two distances, one of them double: the usual one is the shorter."""
    assert read(found(row(4)[[0, 1, 3]], [1, 2, 4]), CLASSES).text == "12?4"


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.01, 1.0, 7.5, 600.0])] * 4), max_size=8))
def test_boxes_without_extent_or_on_top_of_each_other_are_read_somehow(
    boxes: list[tuple[float, ...]],
) -> None:
    """A network that has learned nothing finds such; a reading is due all the same, and no endless one."""
    placed = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    reading = read(found(placed, [3] * len(boxes)), CLASSES)
    assert reading.text.count("3") == len(reading.order) <= len(boxes)
    assert len(reading.text) < 3000


def test_nothing_found_is_no_complete_reading() -> None:
    reading = read(found(row(0), []), CLASSES)
    assert (reading.text, reading.confidence, reading.complete) == ("", 0.0, False)


TEXTS = st.text("0123456789?", max_size=7)


@pytest.mark.parametrize(
    ("read", "true", "distance"),
    [("", "", 0), ("123", "123", 0), ("1?3", "123", 1), ("13", "123", 1), ("1223", "123", 1), ("", "12", 2)],
)
def test_edit_distance_of_known_pairs(read: str, true: str, distance: int) -> None:
    assert edit_distance(read, true) == distance


@given(TEXTS, TEXTS, TEXTS)
def test_edit_distance_is_a_distance(first: str, second: str, third: str) -> None:
    assert edit_distance(first, second) == edit_distance(second, first)
    assert (edit_distance(first, second) == 0) == (first == second)
    assert edit_distance(first, third) <= edit_distance(first, second) + edit_distance(second, third)
