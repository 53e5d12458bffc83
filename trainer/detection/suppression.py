"""From raw boxes and scores to detections: threshold, non-maximum suppression, voting, cut. NumPy only.

Training, evaluation and ONNX Runtime all pass through here, so the figures of the training are the
figures of the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

VOTERS = 0.85
"""Candidates that overlap a detection by more than this IoU have a say in where its sides are."""

SMALLEST = 1.0
"""Pixels of the input that both sides of a detection have at least."""

LOWEST_VOTE = 0.01
"""Score from which on candidates have it, whatever score a detection needs: evaluation and serving agree."""


@dataclass(frozen=True, slots=True)
class Detections:
    """K detections of one picture, best first: boxes (K, 4), scores (K,), class indices (K,)."""

    boxes: Floats
    scores: Floats
    labels: Integers

    def above(self, threshold: float) -> Detections:
        """Those with a score of at least ``threshold``."""
        kept = self.scores >= threshold
        return Detections(self.boxes[kept], self.scores[kept], self.labels[kept])


def pairwise_overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union of every pair: (K, 4), (L, 4) to (K, L)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    union = _areas(first)[:, None] + _areas(second)[None, :] - overlap
    ratios: Floats = (overlap / np.maximum(union, 1e-9)).astype(np.float32)
    return ratios


def _areas(boxes: Floats) -> Floats:
    sizes: Floats = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1).astype(np.float32)
    return sizes


def detect(
    boxes: Floats,
    scores: Floats,
    *,
    class_agnostic: bool,
    threshold: float = 0.01,
    overlap: float | None = None,
    limit: int = 100,
    nms_free: bool = False,
    region: tuple[int, int, int, int] | None = None,
) -> Detections:
    """Detections among N predictions of one picture: boxes (N, 4), scores (N, classes).

    Boxes are cut to ``region`` (x1, y1, x2, y2), the part of the input that the picture fills; what is less
    than a pixel then, or no number, is left out.
    Class-agnostic: every point stands for its best class and overlapping boxes of any class exclude
    each other (IoU 0.5): one wheel shows one digit. Otherwise each class is judged alone (IoU 0.6).
    ``nms_free`` predictions name every object once and are taken as they are, unless an ``overlap`` is asked
    for or objects of different classes exclude each other. Else
    the sides of a detection are the mean of its neighbours', which are as good as its own but for noise.
    """
    if region is not None:
        low, high = (np.array(corner * 2, dtype=np.float32) for corner in (region[:2], region[2:]))
        boxes = np.clip(boxes, low, high)
    visible = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST).all(1)
    candidates = _candidates(boxes[visible], scores[visible], class_agnostic, min(threshold, LOWEST_VOTE))
    if nms_free and overlap is None and not class_agnostic:
        found = candidates.above(threshold)
        return Detections(found.boxes[:limit], found.scores[:limit], found.labels[:limit])
    limit_overlap = overlap if overlap is not None else (0.5 if class_agnostic else 0.6)
    kept = _suppress(candidates.above(threshold), limit_overlap, class_agnostic)[:limit]
    sides = _voted(candidates, kept, class_agnostic)
    voted = Detections(sides, candidates.scores[kept], candidates.labels[kept])
    # Boxes that have moved towards each other may clash now.
    left = _suppress(voted, limit_overlap, class_agnostic)
    return Detections(voted.boxes[left], voted.scores[left], voted.labels[left])


def _candidates(boxes: Floats, scores: Floats, class_agnostic: bool, lowest: float) -> Detections:
    """The thousand best predictions with a score of at least ``lowest``, best first."""
    if class_agnostic:
        labels = scores.argmax(1)
        points = np.flatnonzero(scores.max(1) >= lowest)
        labels = labels[points]
    else:
        points, labels = np.nonzero(scores >= lowest)
    values = scores[points, labels]
    best = np.argsort(-values, kind="stable")[:1000]
    return Detections(boxes[points[best]], values[best], labels[best].astype(np.int64))


def _voted(candidates: Detections, kept: Integers, class_agnostic: bool) -> Floats:
    """Boxes of the ranks in ``kept``, as means over the candidates around them, by score and overlap.

    Box voting (arXiv 1505.01749): several points predict every object, and their errors differ. A detection
    votes for itself alone.
    """
    weights = pairwise_overlap(candidates.boxes[kept], candidates.boxes)
    weights = np.where(weights > VOTERS, weights * candidates.scores, 0)
    weights[:, kept] *= np.eye(len(kept), dtype=np.float32)
    if not class_agnostic:
        weights = weights * (candidates.labels[kept][:, None] == candidates.labels[None, :])
    total = weights.sum(1, keepdims=True)
    means = weights @ candidates.boxes / np.maximum(total, 1e-9)
    boxes: Floats = np.where(total > 0, means, candidates.boxes[kept]).astype(np.float32)
    return boxes


def _suppress(candidates: Detections, overlap: float, class_agnostic: bool) -> Integers:
    """Greedy non-maximum suppression of candidates sorted by score: the ranks that stay."""
    clashes = pairwise_overlap(candidates.boxes, candidates.boxes) > overlap
    if not class_agnostic:
        clashes &= candidates.labels[:, None] == candidates.labels[None, :]
    alive = np.ones(len(candidates.scores), dtype=bool)
    for rank in range(len(alive)):
        if alive[rank]:
            alive[rank + 1 :] &= ~clashes[rank, rank + 1 :]
    return np.flatnonzero(alive).astype(np.int64)
