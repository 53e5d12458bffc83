"""Figures of a split: average precision by torchmetrics, and what a user of meters pays for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torchmetrics.detection import MeanAveragePrecision

from trainer.detection.outcomes import (
    Outcome,
    best_threshold,
    calibration_error,
    judge,
    match,
    precision_recall,
)
from trainer.detection.reading import are_digits, spell
from trainer.detection.readings import Counter, Readings
from trainer.detection.suppression import Integers, pairwise_overlap

# torchmetrics' own are rounded to 32 bits: a recall of 3 in 5 would not reach 0.6.
OVERLAPS: list[float] = np.linspace(0.5, 0.95, 10).tolist()
RECALLS: list[float] = np.linspace(0, 1, 101).tolist()

SIZES = ("small", "medium", "large")
"""COCO's: objects below 32², below 96², and above, in pixels of the picture."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Metrics by name, the thresholds they were taken at, and the confusion matrix.

    ``confusion`` (classes + 1, classes + 1): rows are what is there, columns what was found, last is
    background. ``reading_confidence`` is that from which on readings are accepted, None where nothing is
    read.
    """

    metrics: Mapping[str, float]
    threshold: float
    confusion: Integers
    reading_confidence: float | None = None


@dataclass
class Evaluation:
    """Collects the outcomes of a split and turns them into figures once."""

    classes: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in one picture."""
        self.outcomes.append(outcome)

    def figures(
        self,
        threshold: float | None = None,
        reading_confidence: float | None = None,
        *,
        detailed: bool = False,
    ) -> Figures:
        """All figures; without a ``threshold`` the best on these very pictures is chosen.

        Best is the highest F1; where the objects are digits, the most counters read without a fault. The same
        goes for ``reading_confidence``: the lowest from which on readings can be relied on. ``detailed``:
        ``coco/mAP/<class>``, too.
        """
        metrics = self._average_precision(detailed)
        judged = judge(self.outcomes)
        readings = self._readings() if are_digits(self.classes) else None
        if threshold is None:
            threshold = best_threshold(judged)
            threshold = readings.best_threshold(threshold) if readings else threshold
        metrics |= precision_recall(judged, threshold)
        metrics["calibration_error"] = calibration_error(judged)
        if readings:
            if reading_confidence is None:
                reading_confidence = readings.reliable_confidence(threshold)
            metrics |= readings.figures(threshold, reading_confidence)
        return Figures(metrics, threshold, self._confusion(threshold), reading_confidence)

    def _average_precision(self, detailed: bool) -> dict[str, float]:
        """COCO's mean over IoU 0.5 to 0.95, by size, and AP at IoU 0.5 of every class that occurs.

        The names of sap-computer-vision-package are kept, its 11-point interpolation and pooling are not:
        ``mAP/allClasses`` is the plain mean of the classes, the same figure as ``coco/mAP_50``.
        """
        metric = MeanAveragePrecision(
            backend="faster_coco_eval",
            iou_thresholds=OVERLAPS,
            rec_thresholds=RECALLS,
            extended_summary=True,
        )
        metric.warn_on_many_detections = False
        metric.update([_found_tensors(o) for o in self.outcomes], [_truth_tensors(o) for o in self.outcomes])
        result = metric.compute()
        metrics = {
            "mAP/allClasses": float(result["map_50"]),
            "coco/mAP": float(result["map"]),
            "coco/mAP_50": float(result["map_50"]),
            "coco/mAP_75": float(result["map_75"]),
        }
        for size in SIZES:
            if (value := float(result[f"map_{size}"])) >= 0:  # -1 where no object is of this size
                metrics[f"coco/mAP_{size}"] = value
        present = {int(label) for outcome in self.outcomes for label in outcome.labels}
        for place, label in enumerate(result["classes"].reshape(-1).tolist()):
            if label in present:
                # Axes: IoU thresholds, recall, classes, areas (first: all), detections a picture (last: 100).
                curves = result["precision"][:, :, place, 0, -1]
                metrics[f"mAP/{self.classes[label]}"] = _mean(curves[0])
                if detailed:
                    metrics[f"coco/mAP/{self.classes[label]}"] = _mean(curves)
        return metrics

    def _readings(self) -> Readings:
        counters = [Counter(o.found, spell(o.boxes, o.labels, self.classes)) for o in self.outcomes]
        return Readings(counters, self.classes)

    def _confusion(self, threshold: float) -> Integers:
        background = len(self.classes)
        matrix = np.zeros((background + 1, background + 1), dtype=np.int64)
        for outcome in self.outcomes:
            found = outcome.found.above(threshold)
            matched = match(pairwise_overlap(found.boxes, outcome.boxes))
            for label, truth in zip(found.labels, matched, strict=True):
                matrix[outcome.labels[truth] if truth >= 0 else background, label] += 1
            for missed in set(range(len(outcome.labels))) - set(matched.tolist()):
                matrix[outcome.labels[missed], background] += 1
        return matrix


def _mean(precisions: torch.Tensor) -> float:
    """Of those that are known; -1 stands for the others."""
    return float(precisions[precisions >= 0].mean())


def _found_tensors(outcome: Outcome) -> dict[str, torch.Tensor]:
    """In pixels of the picture: what is small there may be large in the input, or the other way round."""
    found = outcome.found
    return {
        "boxes": torch.from_numpy(found.boxes / np.float32(outcome.scale)),
        "scores": torch.from_numpy(found.scores),
        "labels": torch.from_numpy(found.labels),
    }


def _truth_tensors(outcome: Outcome) -> dict[str, torch.Tensor]:
    boxes = torch.from_numpy(outcome.boxes / np.float32(outcome.scale))
    return {"boxes": boxes, "labels": torch.from_numpy(outcome.labels)}
