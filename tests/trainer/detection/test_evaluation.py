"""Figures of a split, on outcomes whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.detection.evaluation import Evaluation, Outcome, best_threshold, match
from trainer.detection.suppression import Detections, Floats, Integers

BOXES = np.array([[0, 0, 10, 20], [15, 0, 25, 20], [30, 0, 40, 20]], dtype=np.float32)
LABELS = np.array([1, 0, 1], dtype=np.int64)
CLASSES = ("0", "1")


def outcome(
    found: Floats = BOXES,
    labels: Integers = LABELS,
    scores: tuple[float, ...] = (0.9, 0.8, 0.7),
    index: int = 0,
) -> Outcome:
    given = Detections(found, np.array(scores, dtype=np.float32), labels)
    return Outcome(index, given, BOXES, LABELS)


def test_perfect_detections_score_one_everywhere() -> None:
    evaluation = Evaluation(CLASSES, [outcome()])
    figures = evaluation.figures()
    names = {
        "mAP/allClasses", "mAP/0", "mAP/1", "coco/mAP", "coco/mAP_50", "coco/mAP_75",
        "precision", "recall", "F1", "reading_accuracy",
    }  # fmt: skip
    assert set(figures.metrics) == names
    assert all(value == pytest.approx(1.0) for value in figures.metrics.values())
    assert figures.confusion.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 0]]


def test_one_wrong_digit_spoils_the_counter_and_shows_in_the_confusion_matrix() -> None:
    evaluation = Evaluation(CLASSES, [outcome(), outcome(labels=np.array([1, 1, 1]), index=1)])
    figures = evaluation.figures(threshold=0.5)
    assert figures.metrics["reading_accuracy"] == 0.5
    assert figures.metrics["F1"] == pytest.approx(5 / 6)
    assert figures.confusion[0, 1] == 1


def test_loose_boxes_count_at_one_half_but_not_at_three_quarters() -> None:
    loose = BOXES + np.array([0, 0, 0, 8], dtype=np.float32)  # IoU 20 / 28
    metrics = Evaluation(CLASSES, [outcome(found=loose)]).figures().metrics
    assert metrics["mAP/allClasses"] == metrics["mAP/1"] == pytest.approx(1.0)
    assert metrics["coco/mAP_75"] == pytest.approx(0.0)


def test_classes_that_do_not_occur_have_no_figure() -> None:
    metrics = Evaluation(("0", "1", "2"), [outcome()]).figures().metrics
    assert "mAP/2" not in metrics


def test_class_figures_belong_to_their_class() -> None:
    """Class 0 is never found, class 1 always: the figures must not be swapped."""
    kept = LABELS == 1
    evaluation = Evaluation(CLASSES, [outcome(BOXES[kept], LABELS[kept], (0.9, 0.8))])
    metrics = evaluation.figures(0.5).metrics
    assert metrics["mAP/0"] == pytest.approx(0.0)
    assert metrics["mAP/1"] == pytest.approx(1.0)
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["precision"] == pytest.approx(1.0)


def test_words_spell_no_reading() -> None:
    assert "reading_accuracy" not in Evaluation(("cell", "dust"), [outcome()]).figures().metrics


def test_nothing_found_is_zero_and_everything_is_missed() -> None:
    empty = outcome(BOXES[:0], LABELS[:0], ())
    figures = Evaluation(CLASSES, [empty]).figures()
    assert figures.metrics["mAP/allClasses"] == 0
    assert figures.metrics["F1"] == 0
    assert figures.confusion[:, -1].tolist() == [1, 2, 0]


def test_an_object_is_found_once() -> None:
    overlap = np.array([[0.9, 0.0], [0.8, 0.0], [0.3, 0.6]], dtype=np.float32)
    assert match(overlap).tolist() == [0, -1, 1]
    assert match(np.zeros((2, 0), dtype=np.float32)).tolist() == [-1, -1]


def test_the_best_threshold_lies_between_the_right_and_the_wrong() -> None:
    scores = np.array([0.9, 0.8, 0.4, 0.3], dtype=np.float32)
    assert best_threshold(scores, np.array([1, 1, 0, 0]), 2) == pytest.approx(0.6)
    assert best_threshold(scores, np.array([0, 0, 0, 0]), 2) == 0.5


def test_for_digits_the_threshold_that_reads_most_counters_wins_over_the_best_f1() -> None:
    weak = [outcome(scores=(0.9, 0.8, 0.3), index=index) for index in range(3)]
    figures = Evaluation(CLASSES, weak).figures()
    assert figures.threshold < 0.3
    assert figures.metrics["reading_accuracy"] == 1.0


def test_of_thresholds_that_read_the_same_the_one_nearest_the_best_f1_is_taken() -> None:
    figures = Evaluation(CLASSES, [outcome(scores=(0.9, 0.8, 0.7))]).figures()
    assert figures.threshold == pytest.approx(0.35)
