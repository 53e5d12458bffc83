"""The parts of a detector's report, on outcomes that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.detection.outcomes import Outcome, judge
from trainer.detection.suppression import Detections
from trainer.report.detection import curve, package_figures, readings

BOXES = np.array([[0, 0, 10, 20], [15, 0, 25, 20], [30, 0, 40, 20]], dtype=np.float32)
LABELS = np.array([1, 0, 1], dtype=np.int64)
CLASSES = ("0", "1")


def outcome(scores: tuple[float, ...], labels: tuple[int, ...], places: tuple[int, ...]) -> Outcome:
    """Detections that lie exactly on the objects at ``places``; -1 is beside all of them."""
    stray = np.array([[60, 0, 70, 20]], dtype=np.float32)
    boxes = np.concatenate([BOXES, stray])[list(places)]
    found = Detections(boxes, np.array(scores, np.float32), np.array(labels, np.int64))
    return Outcome(0, found, BOXES, LABELS)


def test_the_package_pooled_classes_and_forgave_doubles() -> None:
    """Class 1 is found (one of its objects twice), class 0 is missed and made up beside every object."""
    seen = outcome((0.9, 0.8, 0.72, 0.62), (1, 1, 1, 0), (0, 2, 0, -1))
    figures = package_figures(CLASSES, [seen])
    assert figures["mAP/1"] == pytest.approx(1.0), "the second detection of an object is no fault"
    assert figures["mAP/0"] == 0.0
    # Pooled: recall 2 in 3 at precision 3 in 3 from 0.7 on; 7 of the 11 recalls are at most 2 in 3.
    assert figures["mAP/allClasses"] == pytest.approx(7 / 11)


def test_a_class_that_nobody_has_seen_has_no_figure() -> None:
    assert "mAP/2" not in package_figures((*CLASSES, "2"), [outcome((0.9,), (1,), (0,))])


def test_a_curve_ends_at_what_all_detections_reach() -> None:
    recall, precision = curve(judge([outcome((0.9, 0.8, 0.7), (1, 0, 0), (0, -1, 1))]))
    assert recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])


def test_a_reading_is_as_sure_as_its_weakest_digit() -> None:
    seen = outcome((0.9, 0.8, 0.6), (1, 0, 1), (0, 1, 2))
    confidence, right = readings(CLASSES, [seen], 0.5)
    assert confidence.tolist() == pytest.approx([0.6])
    assert right.tolist() == [1]
    assert readings(CLASSES, [seen], 0.7)[1].tolist() == [0], "a digit is left out"


@given(st.integers(0, 2**32 - 1))
def test_the_packages_figures_are_shares(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(0, 8))
    places = tuple(int(place) for place in random.integers(-1, 3, count))
    labels = tuple(int(label) for label in random.integers(0, 2, count))
    scores = tuple(np.sort(random.uniform(0.01, 1, count))[::-1].tolist())
    figures = package_figures(CLASSES, [outcome(scores, labels, places)])
    assert all(0 <= value <= 1 for value in figures.values())
