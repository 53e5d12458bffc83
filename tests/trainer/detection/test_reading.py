"""Digits as objects, put in order and read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.detection.reading import are_characters, are_digits, read, spell
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
