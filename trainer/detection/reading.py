"""From digits as objects to the reading of a counter. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.detection.suppression import SMALLEST, Detections, Floats, Integers

GAP = 1.6
"""Neighbours further apart than this many usual distances have a wheel between them that was not found."""

OFF_THE_LINE = 0.5
"""Digits whose centres lie further from the baseline, in digit heights, belong to something else."""

SAME_WHEEL = 0.5
"""Digits closer to each other along the baseline, in digit widths, stand on one wheel."""

MISSING = "?"


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` in reading order, ``?`` where a wheel seems missing; ``confidence`` of the weakest digit.

    ``order`` are the places of the detections that make the reading, from left to right.
    """

    text: str
    confidence: float
    order: tuple[int, ...]

    @property
    def complete(self) -> bool:
        return bool(self.text) and MISSING not in self.text

    def accepted(self, confidence: float) -> bool:
        """Whether no wheel seems missing and every digit is at least that sure."""
        return self.complete and self.confidence >= confidence


def are_digits(classes: Sequence[str]) -> bool:
    """Whether the objects of a picture spell a number: every class is one of the characters 0 to 9."""
    return bool(classes) and all(len(name) == 1 and name in "0123456789" for name in classes)


def are_characters(classes: Sequence[str]) -> bool:
    """Whether every class is a single digit or letter: mirroring would make nonsense of it."""
    return bool(classes) and all(len(name) == 1 and name.isalnum() for name in classes)


def reading_order(boxes: Floats) -> Integers:
    """Indices of boxes (K, 4) from left to right along the line their centres lie on, tilted or not."""
    if len(boxes) < 2:
        return np.arange(len(boxes), dtype=np.int64)
    return np.argsort(_places(_centres(boxes)), kind="stable").astype(np.int64)


def spell(boxes: Floats, labels: Integers, classes: Sequence[str]) -> str:
    """The class names of boxes (K, 4) with labels (K,), in reading order."""
    return "".join(classes[labels[index]] for index in reading_order(boxes))


def read(detections: Detections, classes: Sequence[str]) -> Reading:
    """The reading of one counter; detections below the model's threshold must be gone already.

    What does not lie on the baseline is left out, and of several digits on one wheel (a wheel between two
    digits shows both) the surest is read.
    """
    on_line = np.flatnonzero(_on_baseline(detections.boxes))
    if len(on_line) == 0:
        return Reading("", 0.0, ())
    boxes = detections.boxes[on_line]
    places = _places(_centres(boxes))
    kept = _one_a_wheel(places, detections.scores[on_line], boxes)
    kept = kept[np.argsort(places[kept], kind="stable")]
    order = on_line[kept]
    names = [classes[detections.labels[index]] for index in order]
    gaps = _gaps(places[kept])
    text = names[0] + "".join(MISSING * gap + name for gap, name in zip(gaps, names[1:], strict=True))
    return Reading(text, float(detections.scores[order].min()), tuple(order.tolist()))


def edit_distance(read: str, true: str) -> int:
    """Fewest characters to change, insert or leave out that turn one text into the other (Levenshtein)."""
    row = list(range(len(true) + 1))
    for place, character in enumerate(read, 1):
        above, row[0] = row[0], place
        for column, wanted in enumerate(true, 1):
            above, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, above + (character != wanted)),
            )
    return row[-1]


def _centres(boxes: Floats) -> Floats:
    centres: Floats = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
    return centres


def _places(centres: Floats) -> Floats:
    """Where each centre falls on the main axis of all centres, the axis pointing right: (K,)."""
    centred = centres - centres.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    places: Floats = centred @ (axis if axis[0] >= 0 else -axis)
    return places


def _on_baseline(boxes: Floats) -> npt.NDArray[np.bool_]:
    """Which boxes (K, 4) lie on the line through two of the centres that passes most of them."""
    centres = _centres(boxes)
    first, second = np.triu_indices(len(boxes), 1)
    directions = centres[second] - centres[first]
    lengths = np.linalg.norm(directions, axis=1)
    pairs = np.flatnonzero(lengths >= _apart(boxes)) if len(boxes) > 2 else ()
    if len(pairs) == 0:
        return np.ones(len(boxes), dtype=bool)
    normals = np.stack((-directions[pairs, 1], directions[pairs, 0]), 1) / lengths[pairs, None]
    offsets = np.abs(((centres[None] - centres[first[pairs], None]) * normals[:, None]).sum(-1))
    near = offsets <= OFF_THE_LINE * float(np.median(boxes[:, 3] - boxes[:, 1]))
    # Between lines through as many digits, the one that misses them by less.
    merit = near.sum(1) - (offsets * near).sum(1) / (1.0 + offsets.max() * len(boxes))
    return np.asarray(near[int(merit.argmax())])


def _apart(boxes: Floats) -> float:
    """Pixels between two centres from which on the digits stand on wheels of their own; never none."""
    return SAME_WHEEL * max(SMALLEST, float(np.median((boxes[:, 2:] - boxes[:, :2]).min(axis=1))))


def _one_a_wheel(places: Floats, scores: Floats, boxes: Floats) -> Integers:
    """Indices of the surest digit of every wheel."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if all(abs(places[index] - places[other]) >= _apart(boxes) for other in kept):
            kept.append(index)
    return np.array(kept, dtype=np.int64)


def _gaps(places: Floats) -> list[int]:
    """How many wheels seem missing between neighbours; nothing is claimed about fewer than three digits.

    The usual distance is the lower median: of three digits with one missing, one distance is right.
    """
    if len(places) < 3:
        return [0] * (len(places) - 1)
    steps = np.diff(places)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    return [round(float(step) / usual) - 1 if step > GAP * usual else 0 for step in steps]
