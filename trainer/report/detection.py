"""What a report says of a detector, from what it found in every picture of a split. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.detection.outcomes import (
    OVERLAP,
    Judged,
    Outcome,
    calibration,
    calibration_error,
    judge,
    precision_recall,
)
from trainer.detection.reading import are_digits, read, spell
from trainer.detection.suppression import pairwise_overlap
from trainer.inference.card import Card
from trainer.report.blocks import Block, Chart, Gallery, Table, figures_table, reject_table, shown
from trainer.report.charts import Floats, picture_uri, precision_recall_chart, reliability_chart
from trainer.report.evidence import DetectedPicture

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""0.05 to 0.95, as sap-computer-vision-package sampled them."""

RECALLS = tuple(step / 10 for step in range(11))

NOTE = (
    "mAP/… is average precision at IoU 0.5; coco/mAP is COCO's mean over IoU 0.5 to 0.95, by size in pixels "
    "of the picture. precision, recall and F1 are taken at the threshold of the model."
)

READINGS = "Readings and the reject option"
READINGS_NOTE = (
    "A reading is as sure as its weakest digit. Leaving the unsure ones to people raises the share of right "
    "ones among the rest; the interval says what so few pictures can prove (Wilson, 95 %)."
)


def detection_blocks(
    card: Card, metrics: Mapping[str, Mapping[str, float]], pictures: Sequence[DetectedPicture]
) -> Iterator[Block]:
    """Everything between the head and the model card."""
    outcomes = [picture.outcome(index) for index, picture in enumerate(pictures)]
    classes, threshold, judged = card.classes, card.fraction("score_threshold"), judge(outcomes)
    yield figures_table(metrics, NOTE, skip=("mAP/", "coco/mAP/"))
    yield _classes_table(classes, outcomes, judged, threshold, metrics)
    yield _curves(classes, outcomes, judged)
    yield _threshold_table(classes, outcomes, judged, threshold)
    if are_digits(classes):
        yield reject_table(READINGS, READINGS_NOTE, *readings(classes, outcomes, threshold))
    yield Chart(
        "Calibration",
        f"How often detections of a score are right; on the line the score can be taken at its word. The "
        f"expected calibration error is {shown(calibration_error(judged))}.",
        reliability_chart(calibration(judged), "share that found an object"),
    )
    yield _package_table(classes, outcomes, metrics)
    yield from _worst(card.folder, pictures, outcomes, threshold)


def _classes_table(
    classes: Sequence[str],
    outcomes: Sequence[Outcome],
    judged: Judged,
    threshold: float,
    metrics: Mapping[str, Mapping[str, float]],
) -> Table:
    last = list(metrics.values())[-1] if metrics else {}
    rows = []
    for label, name in enumerate(classes):
        objects = objects_of(outcomes, label)
        at = precision_recall(judged.of_class(label, objects), threshold)
        figures = (last.get(f"mAP/{name}"), last.get(f"coco/mAP/{name}"))
        rows.append((name, str(objects), *map(shown, figures), *map(shown, at.values())))
    head = ("class", "objects", "mAP at 0.5", "coco/mAP", "precision", "recall", "F1")
    return Table("Classes", f"precision, recall and F1 at a score of {threshold:.3f}.", head, rows)


def objects_of(outcomes: Sequence[Outcome], label: int) -> int:
    """How many objects of a class there are."""
    return sum(int((outcome.labels == label).sum()) for outcome in outcomes)


def _curves(classes: Sequence[str], outcomes: Sequence[Outcome], judged: Judged) -> Chart:
    curves = [("all classes", *curve(judged))]
    for label, name in enumerate(classes):
        if objects := objects_of(outcomes, label):
            curves.append((name, *curve(judged.of_class(label, objects))))
    note = "At IoU 0.5. The black line is all detections together, the others one class each."
    return Chart("Precision and recall", note, precision_recall_chart(curves))


def curve(judged: Judged) -> tuple[Floats, Floats]:
    """Recall and precision after each detection, best first: (K,), (K,)."""
    order = np.argsort(-judged.scores, kind="stable")
    hits = np.cumsum(judged.correct[order]).astype(np.float64)
    ranks = np.arange(1, len(order) + 1)
    return hits / max(judged.objects, 1), hits / ranks


def _threshold_table(
    classes: Sequence[str], outcomes: Sequence[Outcome], judged: Judged, threshold: float
) -> Table:
    digits = are_digits(classes)
    places = sorted({*THRESHOLDS, threshold})
    rows = []
    for at in places:
        figures = [*precision_recall(judged, at).values()]
        if digits:
            figures.append(float(readings(classes, outcomes, at)[1].mean()))
        rows.append((f"{at:.3f}", *map(shown, figures)))
    head = ["score from", "precision", "recall", "F1", *(["reading_accuracy"] if digits else [])]
    note = "What another threshold would give on these pictures; the model's own is marked."
    return Table("Thresholds", note, head, rows, marked=places.index(threshold))


def readings(
    classes: Sequence[str], outcomes: Sequence[Outcome], threshold: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Of N counters how sure their reading is, and whether it is right (1) or not (0): (N,), (N,)."""
    found = [read(outcome.found.above(threshold), classes) for outcome in outcomes]
    there = [spell(outcome.boxes, outcome.labels, classes) for outcome in outcomes]
    right = [int(reading.text == text) for reading, text in zip(found, there, strict=True)]
    return np.array([reading.confidence for reading in found], np.float32), np.array(right, np.int64)


def package_figures(classes: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """``mAP/<class>`` and ``mAP/allClasses`` as sap-computer-vision-package 1.1.7 computed them.

    IoU 0.5, 19 thresholds from 0.05 to 0.95, the best precision from each of 11 recalls on; all classes are
    pooled, and several detections of one object are not wrong. A class that nobody has seen has no figure.
    """
    counts = np.zeros((len(classes), len(THRESHOLDS), 3))
    for outcome in outcomes:
        found = outcome.found
        same = found.labels[:, None] == outcome.labels[None, :]
        overlap: npt.NDArray[np.bool_] = (pairwise_overlap(found.boxes, outcome.boxes) >= OVERLAP) & same
        for place, threshold in enumerate(THRESHOLDS):
            kept = found.scores >= threshold
            hit = np.logical_or.reduce(overlap[kept], axis=0)
            stray = ~np.logical_or.reduce(overlap[kept], axis=1)
            for label in range(len(classes)):
                own = outcome.labels == label
                wrong = stray & (found.labels[kept] == label)
                counts[label, place] += (hit[own].sum(), wrong.sum(), (~hit[own]).sum())
    figures = {"mAP/allClasses": _eleven_points(counts.sum(axis=0))}
    for label, name in enumerate(classes):
        if counts[label].any():
            figures[f"mAP/{name}"] = _eleven_points(counts[label])
    return figures


def _eleven_points(counts: Floats) -> float:
    """From true positives, false positives and misses at every threshold, (T, 3)."""
    hits, wrong, missed = counts.T
    known = hits + wrong > 0
    precision = hits[known] / (hits + wrong)[known]
    recall = hits[known] / np.maximum((hits + missed)[known], 1)
    return float(np.mean([precision[recall >= least].max(initial=0.0) for least in RECALLS]))


def _package_table(
    classes: Sequence[str], outcomes: Sequence[Outcome], metrics: Mapping[str, Mapping[str, float]]
) -> Table:
    last = list(metrics.values())[-1] if metrics else {}
    rows = [
        (name, shown(value), shown(last.get(name)))
        for name, value in package_figures(classes, outcomes).items()
    ]
    note = (
        "For comparison with earlier trainings: the package interpolated at 11 recalls over 19 thresholds, "
        "pooled the classes and forgave several detections of one object. They are two measures."
    )
    return Table("In the terms of sap-computer-vision-package 1.1.7", note, ("", "package", "here"), rows)


def _worst(
    folder: Path, pictures: Sequence[DetectedPicture], outcomes: Sequence[Outcome], threshold: float
) -> Iterator[Gallery]:
    """The sample pictures that were drawn, those with most faults first."""
    ranked = sorted(
        zip(pictures, outcomes, strict=True), key=lambda pair: (-pair[1].faults(threshold), pair[0].name)
    )
    images = []
    for picture, outcome in ranked:
        path = folder / "samples" / f"{picture.name}.png"
        if path.is_file():
            faults = outcome.faults(threshold)
            said = "no fault" if faults == 0 else f"{faults} fault{'s' if faults > 1 else ''}"
            images.append((picture_uri(path), f"{picture.name}: {said}"))
    if images:
        note = "Green is what is there, red what was found. Objects missed, misnamed or made up are faults."
        yield Gallery("Worst pictures, and some as they come", note, images)
