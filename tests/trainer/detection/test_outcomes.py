"""Detections against what is there, on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.detection.outcomes import (
    Judged,
    Outcome,
    best_threshold,
    calibration,
    calibration_error,
    judge,
    match,
    precision_recall,
)
from trainer.detection.suppression import Detections

BOXES = np.array([[0, 0, 10, 20], [15, 0, 25, 20]], dtype=np.float32)


def judged(scores: tuple[float, ...], correct: tuple[int, ...], objects: int) -> Judged:
    labels = np.zeros(len(scores), np.int64)
    return Judged(np.array(scores, np.float32), labels, np.array(correct, np.int64), objects)


def test_an_object_is_found_once() -> None:
    overlap = np.array([[0.9, 0.0], [0.8, 0.0], [0.3, 0.6]], dtype=np.float32)
    assert match(overlap).tolist() == [0, -1, 1]
    assert match(np.zeros((2, 0), dtype=np.float32)).tolist() == [-1, -1]


def test_a_detection_of_another_class_finds_nothing() -> None:
    found = Detections(BOXES, np.array([0.9, 0.4], np.float32), np.array([1, 0]))
    outcome = Outcome(0, found, BOXES, np.array([0, 0]))
    assert outcome.matched().tolist() == [-1, 1]
    assert outcome.matched(0.5).tolist() == [-1]
    assert (outcome.faults(0.0), outcome.faults(0.5)) == (2, 3)
    assert judge([outcome]).correct.tolist() == [0, 1]
    assert judge([outcome]).objects == 2


def test_the_best_threshold_lies_between_the_right_and_the_wrong() -> None:
    assert best_threshold(judged((0.9, 0.8, 0.4, 0.3), (1, 1, 0, 0), 2)) == pytest.approx(0.6)
    assert best_threshold(judged((0.9, 0.8, 0.4, 0.3), (0, 0, 0, 0), 2)) == 0.5


def test_precision_and_recall_count_from_the_threshold_on() -> None:
    figures = precision_recall(judged((0.9, 0.8, 0.4), (1, 0, 1), 4), 0.5)
    assert figures == {"precision": 0.5, "recall": 0.25, "F1": pytest.approx(1 / 3)}


def test_scores_that_say_how_often_they_are_right_are_calibrated() -> None:
    right = judged((0.75,) * 4, (1, 1, 1, 0), 3)
    assert calibration_error(right) == pytest.approx(0.0)
    assert [(item.count, item.precision) for item in calibration(right)] == [(4, 0.75)]
    assert calibration_error(judged((0.95,) * 4, (0, 0, 0, 0), 3)) == pytest.approx(0.95)
    assert calibration_error(judged((), (), 3)) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), max_size=40))
def test_the_calibration_error_is_a_share_and_no_detection_is_lost(
    items: list[tuple[float, bool]],
) -> None:
    given_ = judged(tuple(score for score, _ in items), tuple(int(hit) for _, hit in items), len(items))
    assert sum(item.count for item in calibration(given_)) == len(items)
    assert 0.0 <= calibration_error(given_) <= 1.0
