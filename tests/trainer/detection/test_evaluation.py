"""Figures of a split, on outcomes whose figures are known."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.detection.evaluation import SIZES, Evaluation
from trainer.detection.outcomes import Outcome
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
        "mAP/allClasses", "mAP/0", "mAP/1", "coco/mAP", "coco/mAP_50", "coco/mAP_75", "coco/mAP_small",
        "precision", "recall", "F1", "reading_accuracy", "accepted_readings", "accepted_reading_accuracy",
    }  # fmt: skip
    assert set(figures.metrics) == {*names, "calibration_error", "mean_digit_error"}
    error = figures.metrics["calibration_error"]
    assert error == pytest.approx(0.2), "right each time, with scores of 0.9, 0.8 and 0.7"
    assert all(figures.metrics[name] == pytest.approx(1.0) for name in names)
    assert figures.metrics["mean_digit_error"] == 0.0
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


def test_details_name_the_coco_figure_of_each_class() -> None:
    loose = BOXES + np.array([0, 0, 0, 8], dtype=np.float32)  # IoU 20 / 28: right at 0.5, 0.55, … 0.7
    metrics = Evaluation(CLASSES, [outcome(found=loose)]).figures(detailed=True).metrics
    assert metrics["coco/mAP/0"] == metrics["coco/mAP/1"] == pytest.approx(0.5)


def test_sizes_are_those_in_the_picture_not_in_the_input() -> None:
    """The same boxes in a picture that was made two, four and ten times smaller for the network."""
    for factor, size in ((2, "small"), (4, "medium"), (10, "large")):
        scaled = replace(outcome(), scale=1 / factor)
        metrics = Evaluation(CLASSES, [scaled]).figures().metrics
        assert [name for name in SIZES if f"coco/mAP_{name}" in metrics] == [size]
        assert metrics[f"coco/mAP_{size}"] == pytest.approx(1.0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_the_figures_are_those_of_pycocotools(seed: int) -> None:
    """On random boxes, found and missed, doubled and misnamed: the reference implementation agrees."""
    random = np.random.default_rng(seed)
    outcomes = [disturbed(random, index) for index in range(4)]
    metrics = Evaluation(CLASSES, outcomes).figures(0.5, detailed=True).metrics
    expected = reference(outcomes)
    assert expected.keys() <= metrics.keys()
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def disturbed(random: np.random.Generator, index: int) -> Outcome:
    """Objects of all sizes; of each a shifted detection or two, or none, sometimes of another class."""
    count = int(random.integers(1, 7))
    corner, size = random.uniform(0, 200, (count, 2)), random.uniform(4, 140, (count, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    labels = random.integers(0, 2, count)
    chosen = random.integers(0, count, int(random.integers(0, 9)))
    found = (boxes[chosen] + random.normal(0, 4, (len(chosen), 4))).astype(np.float32)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    scores = np.sort(random.uniform(0.01, 1, len(chosen)).astype(np.float32))[::-1].copy()
    names = np.where(random.random(len(chosen)) < 0.2, 1 - labels[chosen], labels[chosen])
    return Outcome(index, Detections(found, scores, names), boxes, labels)


def reference(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """What pycocotools computes; a figure it cannot give (-1) is left out."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = COCO(), []
    truth.dataset = {
        "info": {},
        "images": [{"id": outcome.index + 1} for outcome in outcomes],
        "categories": [{"id": label, "name": name} for label, name in enumerate(CLASSES)],
        "annotations": [],
    }
    for outcome in outcomes:
        for box, label in zip(outcome.boxes.tolist(), outcome.labels.tolist(), strict=True):
            width, height = box[2] - box[0], box[3] - box[1]
            truth.dataset["annotations"].append(
                {
                    "id": len(truth.dataset["annotations"]) + 1,
                    "image_id": outcome.index + 1,
                    "category_id": label,
                    "bbox": [box[0], box[1], width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
        detections = zip(
            outcome.found.boxes.tolist(),
            outcome.found.scores.tolist(),
            outcome.found.labels.tolist(),
            strict=True,
        )
        for box, score, label in detections:
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            found.append({"image_id": outcome.index + 1, "category_id": label, "bbox": bbox, "score": score})
    if not found:
        return {"coco/mAP": 0.0, "mAP/allClasses": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = (
        "coco/mAP", "coco/mAP_50", "coco/mAP_75", "coco/mAP_small", "coco/mAP_medium", "coco/mAP_large",
    )  # fmt: skip
    figures = {name: float(value) for name, value in zip(names, evaluation.stats[:6], strict=True)}
    figures["mAP/allClasses"] = figures["coco/mAP_50"]
    for label, name in enumerate(CLASSES):
        curves = evaluation.eval["precision"][:, :, label, 0, -1]
        for key, values in ((f"mAP/{name}", curves[0]), (f"coco/mAP/{name}", curves)):
            figures[key] = float(values.mean())
    return {name: value for name, value in figures.items() if value >= 0}


def test_for_digits_the_threshold_that_reads_most_counters_wins_over_the_best_f1() -> None:
    weak = [outcome(scores=(0.9, 0.8, 0.3), index=index) for index in range(3)]
    figures = Evaluation(CLASSES, weak).figures()
    assert figures.threshold < 0.3
    assert figures.metrics["reading_accuracy"] == 1.0


def test_of_thresholds_that_read_the_same_the_one_nearest_the_best_f1_is_taken() -> None:
    figures = Evaluation(CLASSES, [outcome(scores=(0.9, 0.8, 0.7))]).figures()
    assert figures.threshold == pytest.approx(0.35)
