"""From digits as objects to the reading of a counter. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.detection.suppression import Detections, Floats, Integers

GAP = 1.6
"""Neighbours further apart than this many usual distances have a wheel between them that was not found."""

MISSING = "?"


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` in reading order, ``?`` where a wheel seems missing; ``confidence`` of the weakest digit."""

    text: str
    confidence: float
    order: tuple[int, ...]

    @property
    def complete(self) -> bool:
        return MISSING not in self.text


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
    return np.argsort(_places(boxes), kind="stable").astype(np.int64)


def _places(boxes: Floats) -> Floats:
    """Where each centre falls on the main axis of all centres, the axis pointing right: (K,)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    centred = centres - centres.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    places: Floats = centred @ (axis if axis[0] >= 0 else -axis)
    return places


def spell(boxes: Floats, labels: Integers, classes: Sequence[str]) -> str:
    """The class names of boxes (K, 4) with labels (K,), in reading order."""
    return "".join(classes[labels[index]] for index in reading_order(boxes))


def read(detections: Detections, classes: Sequence[str]) -> Reading:
    """The reading of one counter; detections below the model's threshold must be gone already."""
    order = reading_order(detections.boxes)
    if len(order) == 0:
        return Reading("", 0.0, ())
    names = [classes[detections.labels[index]] for index in order]
    gaps = _gaps(detections.boxes, order)
    text = names[0] + "".join(MISSING * gap + name for gap, name in zip(gaps, names[1:], strict=True))
    return Reading(text, float(detections.scores.min()), tuple(int(index) for index in order))


def _gaps(boxes: Floats, order: Integers) -> list[int]:
    """How many wheels seem missing between neighbours; nothing is claimed about fewer than three digits."""
    if len(order) < 3:
        return [0] * (len(order) - 1)
    steps = np.diff(_places(boxes)[order])
    usual = float(np.median(steps))
    return [round(float(step) / usual) - 1 if usual > 0 and step > GAP * usual else 0 for step in steps]
