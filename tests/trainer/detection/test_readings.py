"""Which readings of a split are right, and which can be relied on."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.detection.readings import Counter, Readings
from trainer.detection.suppression import Detections

CLASSES = tuple("0123456789")


def counter(read: str, true: str, confidence: float = 0.9) -> Counter:
    """A row of digits 20 pixels apart; the first is found with ``confidence``, the others with 0.95."""
    places = np.arange(len(read), dtype=np.float32) * 20
    boxes = np.stack([places, np.zeros_like(places), places + 12, np.full_like(places, 20)], 1)
    scores = np.array([confidence, *[0.95] * (len(read) - 1)], dtype=np.float32)
    order = np.argsort(-scores, kind="stable")
    labels = np.array([int(digit) for digit in read])
    return Counter(Detections(boxes[order], scores[order], labels[order]), true)


def test_every_digit_must_be_right() -> None:
    readings = Readings([counter("123", "123"), counter("124", "123"), counter("12", "123")], CLASSES)
    figures = readings.figures(0.5, 0.0)
    assert figures["reading_accuracy"] == pytest.approx(1 / 3)
    assert figures["mean_digit_error"] == pytest.approx(2 / 9)
    assert figures["accepted_readings"] == 1.0


def test_only_sure_and_complete_readings_are_accepted() -> None:
    gap = counter("12345", "12345")
    without_one = Counter(
        Detections(
            *(np.delete(values, 2, 0) for values in (gap.found.boxes, gap.found.scores, gap.found.labels))
        ),
        "12345",
    )
    readings = Readings([counter("123", "123", 0.9), counter("124", "123", 0.4), without_one], CLASSES)
    figures = readings.figures(0.3, 0.8)
    assert figures["accepted_readings"] == pytest.approx(1 / 3)
    assert figures["accepted_reading_accuracy"] == 1.0
    assert "accepted_reading_accuracy" not in readings.figures(0.3, 1.0)


def test_the_confidence_that_can_be_relied_on_leaves_out_the_unsure_errors() -> None:
    right = [counter("123", "123", 0.6 + step / 100) for step in range(20)]
    wrong = [counter("124", "123", 0.5), counter("125", "123", 0.45)]
    readings = Readings([*wrong, *right, counter("123", "123", 0.48)], CLASSES)
    limit = readings.reliable_confidence(0.3)
    assert limit == pytest.approx(0.6)
    assert readings.figures(0.3, limit)["accepted_reading_accuracy"] == 1.0


def test_where_the_surest_reading_is_wrong_none_can_be_relied_on() -> None:
    assert Readings([counter("124", "123", 0.9)], CLASSES).reliable_confidence(0.3) == 1.0
    assert Readings([], CLASSES).reliable_confidence(0.3) == 1.0


def test_the_threshold_that_reads_most_is_the_nearest_to_the_usual_one() -> None:
    weak = [counter("123", "123", 0.35), counter("456", "456", 0.62)]
    assert Readings(weak, CLASSES).best_threshold(0.6) == pytest.approx(0.35, abs=0.026)
    assert Readings(weak[1:], CLASSES).best_threshold(0.6) == pytest.approx(0.6)
