"""Figures of a split: average precision by torchmetrics, and what a user of meters pays for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torchmetrics.detection import MeanAveragePrecision

from trainer.detection.reading import are_digits, spell
from trainer.detection.suppression import Detections, Floats, Integers, pairwise_overlap

OVERLAP = 0.5
"""IoU from which a detection has found its object, in every figure that does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture: its place in the split, what was found, and what is there (M, 4), (M,)."""

    index: int
    found: Detections
    boxes: Floats
    labels: Integers


@dataclass(frozen=True, slots=True)
class Figures:
    """Metrics by name, the score threshold they were taken at, and the confusion matrix.

    ``confusion`` (classes + 1, classes + 1): rows are what is there, columns what was found, last is
    background.
    """

    metrics: Mapping[str, float]
    threshold: float
    confusion: Integers


@dataclass
class Evaluation:
    """Collects the outcomes of a split and turns them into figures once."""

    classes: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in one picture."""
        self.outcomes.append(outcome)

    def figures(self, threshold: float | None = None) -> Figures:
        """All figures; without a ``threshold`` the best on these very pictures is chosen.

        Best is the highest F1; where the objects are digits, the most counters read without a fault.
        """
        metrics = self._average_precision()
        scores, correct = self._judged()
        objects = sum(len(outcome.labels) for outcome in self.outcomes)
        if threshold is None:
            threshold = self._reading_threshold(best_threshold(scores, correct, objects))
        metrics |= _precision_recall(scores, correct, objects, threshold)
        if are_digits(self.classes):
            metrics["reading_accuracy"] = self._reading_accuracy(threshold)
        return Figures(metrics, threshold, self._confusion(threshold))

    def _average_precision(self) -> dict[str, float]:
        """COCO's mean over IoU 0.5 to 0.95, and AP at IoU 0.5 of every class that occurs.

        The names of sap-computer-vision-package are kept, its 11-point interpolation and pooling are not:
        ``mAP/allClasses`` is the plain mean of the classes, the same figure as ``coco/mAP_50``.
        """
        metric = MeanAveragePrecision(backend="faster_coco_eval", extended_summary=True)
        metric.warn_on_many_detections = False
        metric.update(
            [_as_tensors(o.found) for o in self.outcomes], [_truth_tensors(o) for o in self.outcomes]
        )
        result = metric.compute()
        metrics = {
            "mAP/allClasses": float(result["map_50"]),
            "coco/mAP": float(result["map"]),
            "coco/mAP_50": float(result["map_50"]),
            "coco/mAP_75": float(result["map_75"]),
        }
        present = {int(label) for outcome in self.outcomes for label in outcome.labels}
        for place, label in enumerate(result["classes"].reshape(-1).tolist()):
            if label in present:
                # Axes: IoU thresholds, recall, classes, areas (first: all), detections a picture (last: 100).
                curve = result["precision"][0, :, place, 0, -1]
                metrics[f"mAP/{self.classes[label]}"] = float(curve[curve >= 0].mean())
        return metrics

    def _judged(self) -> tuple[Floats, Integers]:
        """Scores of all detections and whether each found an object of its class: two (K,)."""
        scores = [np.zeros(0, np.float32)]
        correct = [np.zeros(0, np.int64)]
        for outcome in self.outcomes:
            same = outcome.found.labels[:, None] == outcome.labels[None, :]
            overlap = pairwise_overlap(outcome.found.boxes, outcome.boxes) * same
            scores.append(outcome.found.scores)
            correct.append((match(overlap) >= 0).astype(np.int64))
        return np.concatenate(scores), np.concatenate(correct)

    def _reading_accuracy(self, threshold: float) -> float:
        """Share of the counters of which every digit was read, and nothing else."""
        right = [
            spell(found.boxes, found.labels, self.classes)
            == spell(outcome.boxes, outcome.labels, self.classes)
            for outcome in self.outcomes
            for found in [outcome.found.above(threshold)]
        ]
        return sum(right) / len(right) if right else 0.0

    def _reading_threshold(self, usual: float) -> float:
        """The threshold nearest to ``usual`` that reads the most counters, in steps of 0.025."""
        if not are_digits(self.classes):
            return usual
        candidates = [usual, *(step / 40 for step in range(4, 33))]
        return max(candidates, key=lambda at: (self._reading_accuracy(at), -abs(at - usual)))

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


def match(overlap: Floats) -> Integers:
    """Give each of K detections, best first, the free object it overlaps most: (K, M) to (K,), or -1."""
    matched = np.full(overlap.shape[0], -1, dtype=np.int64)
    free = overlap.copy()
    if overlap.shape[1] == 0:
        return matched
    for rank in range(overlap.shape[0]):
        best = int(free[rank].argmax())
        if free[rank, best] >= OVERLAP:
            matched[rank] = best
            free[:, best] = 0
    return matched


def best_threshold(scores: Floats, correct: Integers, objects: int) -> float:
    """The score from which on detections give the highest F1; 0.5 where nothing was found at all."""
    if not correct.any() or objects == 0:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(correct[order])
    ranks = np.arange(1, len(order) + 1)
    best = int(np.argmax(2 * hits / (ranks + objects)))
    following = scores[order[best + 1]] if best + 1 < len(order) else 0.0
    return float((scores[order[best]] + following) / 2)


def _precision_recall(scores: Floats, correct: Integers, objects: int, threshold: float) -> dict[str, float]:
    kept = scores >= threshold
    hits = float(correct[kept].sum())
    found = float(kept.sum())
    return {
        "precision": hits / found if found else 0.0,
        "recall": hits / objects if objects else 0.0,
        "F1": 2 * hits / (found + objects) if found + objects else 0.0,
    }


def _as_tensors(found: Detections) -> dict[str, Any]:
    return {
        "boxes": torch.from_numpy(found.boxes),
        "scores": torch.from_numpy(found.scores),
        "labels": torch.from_numpy(found.labels),
    }


def _truth_tensors(outcome: Outcome) -> dict[str, Any]:
    return {"boxes": torch.from_numpy(outcome.boxes), "labels": torch.from_numpy(outcome.labels)}
