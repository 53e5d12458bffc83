"""What was found in the pictures of a split against what is there. NumPy only: reports need no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.detection.suppression import Detections, Floats, Integers, pairwise_overlap

OVERLAP = 0.5
"""IoU from which a detection has found its object, in every figure that does not say otherwise."""

CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture: its place in the split, what was found, and what is there (M, 4), (M,).

    ``scale``: pixels of these boxes to a pixel of the picture.
    """

    index: int
    found: Detections
    boxes: Floats
    labels: Integers
    scale: float = 1.0

    def matched(self, threshold: float = 0.0) -> Integers:
        """For every detection from ``threshold`` on the object of its class it found, or -1: (K,)."""
        found = self.found.above(threshold)
        same = found.labels[:, None] == self.labels[None, :]
        return match(pairwise_overlap(found.boxes, self.boxes) * same)

    def faults(self, threshold: float) -> int:
        """Objects missed, misnamed or made up."""
        matched = self.matched(threshold)
        return len(matched) + len(self.labels) - 2 * int((matched >= 0).sum())


@dataclass(frozen=True, slots=True)
class Judged:
    """All detections of a split: scores, class indices and whether each found an object, (K,) each.

    ``objects``: what there was to find.
    """

    scores: Floats
    labels: Integers
    correct: Integers
    objects: int

    def of_class(self, label: int, objects: int) -> Judged:
        """The detections of one class, of which there were ``objects``."""
        kept = self.labels == label
        return Judged(self.scores[kept], self.labels[kept], self.correct[kept], objects)


def judge(outcomes: Sequence[Outcome]) -> Judged:
    """Judge every detection at IoU 0.5; an object is found once, by the best detection of its class."""
    scores = [np.zeros(0, np.float32)]
    labels, correct = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for outcome in outcomes:
        scores.append(outcome.found.scores)
        labels.append(outcome.found.labels)
        correct.append((outcome.matched() >= 0).astype(np.int64))
    objects = sum(len(outcome.labels) for outcome in outcomes)
    return Judged(np.concatenate(scores), np.concatenate(labels), np.concatenate(correct), objects)


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


def best_threshold(judged: Judged) -> float:
    """The score from which on detections give the highest F1; 0.5 where nothing was found at all."""
    if not judged.correct.any() or judged.objects == 0:
        return 0.5
    order = np.argsort(-judged.scores, kind="stable")
    hits = np.cumsum(judged.correct[order])
    ranks = np.arange(1, len(order) + 1)
    best = int(np.argmax(2 * hits / (ranks + judged.objects)))
    following = judged.scores[order[best + 1]] if best + 1 < len(order) else 0.0
    return float((judged.scores[order[best]] + following) / 2)


def precision_recall(judged: Judged, threshold: float) -> dict[str, float]:
    """``precision``, ``recall`` and ``F1`` of the detections from ``threshold`` on."""
    kept = judged.scores >= threshold
    hits = float(judged.correct[kept].sum())
    found = float(kept.sum())
    return {
        "precision": hits / found if found else 0.0,
        "recall": hits / judged.objects if judged.objects else 0.0,
        "F1": 2 * hits / (found + judged.objects) if found + judged.objects else 0.0,
    }


@dataclass(frozen=True, slots=True)
class Bin:
    """Detections of similar score: how many, their mean score, and the share that found an object."""

    count: int
    score: float
    precision: float


def calibration(judged: Judged) -> tuple[Bin, ...]:
    """The detections in ten bins of equal width by score; a bin without detections is left out."""
    places = np.minimum((judged.scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    bins = []
    for place in range(CALIBRATION_BINS):
        inside = places == place
        if inside.any():
            mean, hits = judged.scores[inside].mean(), judged.correct[inside].mean()
            bins.append(Bin(int(inside.sum()), float(mean), float(hits)))
    return tuple(bins)


def calibration_error(judged: Judged) -> float:
    """By how much scores and shares of hits differ, weighted by detections (expected calibration error)."""
    bins = calibration(judged)
    total = sum(item.count for item in bins)
    return sum(item.count * abs(item.score - item.precision) for item in bins) / total if total else 0.0
