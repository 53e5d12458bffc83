"""The readings of a split, judged: which threshold reads the most, and which readings can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trainer.detection.reading import Reading, edit_distance, read
from trainer.detection.suppression import Detections

RELIABLE = 0.99
"""Share of the accepted readings that shall be right."""


class Counter(NamedTuple):
    """What was found on one picture, best first, and the number that is there."""

    found: Detections
    text: str


class Readings:
    """The counters of a split, read at any score threshold; what does not change is read once."""

    def __init__(self, counters: Sequence[Counter], classes: Sequence[str]) -> None:
        self.counters = counters
        self.classes = classes
        self._known: dict[tuple[int, int], Reading] = {}

    def at(self, threshold: float) -> list[Reading]:
        """Every counter, read from detections of at least that score."""
        return [self._reading(place, threshold) for place in range(len(self.counters))]

    def _reading(self, place: int, threshold: float) -> Reading:
        above = self.counters[place].found.above(threshold)
        key = (place, len(above.scores))
        if key not in self._known:
            self._known[key] = read(above, self.classes)
        return self._known[key]

    def right(self, threshold: float) -> list[bool]:
        """Of which counters every digit is read, in order, and nothing else."""
        pairs = zip(self.at(threshold), self.counters, strict=True)
        return [reading.text == counter.text for reading, counter in pairs]

    def best_threshold(self, usual: float) -> float:
        """The threshold nearest to ``usual`` that reads the most counters, in steps of 0.025."""
        candidates = [usual, *(step / 40 for step in range(4, 33))]
        return max(candidates, key=lambda at: (sum(self.right(at)), -abs(at - usual)))

    def reliable_confidence(self, threshold: float) -> float:
        """The lowest confidence from which on 99 % of the complete readings are right.

        1 where not even the surest reading is right: then none can be relied on.
        """
        judged = sorted(
            (
                (reading.confidence, right)
                for reading, right in zip(self.at(threshold), self.right(threshold), strict=True)
                if reading.complete
            ),
            reverse=True,
        )
        limit, hits = 1.0, 0
        for count, (confidence, right) in enumerate(judged, 1):
            hits += right
            if hits >= RELIABLE * count:
                limit = confidence
        return limit

    def figures(self, threshold: float, confidence: float) -> dict[str, float]:
        """Metrics by name; readings that are complete and at least that sure are accepted."""
        readings, right = self.at(threshold), self.right(threshold)
        digits = sum(len(counter.text) for counter in self.counters)
        wrong = sum(
            edit_distance(reading.text, counter.text)
            for reading, counter in zip(readings, self.counters, strict=True)
        )
        accepted = [hit for reading, hit in zip(readings, right, strict=True) if reading.accepted(confidence)]
        metrics = {
            "reading_accuracy": sum(right) / len(right) if right else 0.0,
            "mean_digit_error": wrong / digits if digits else 0.0,
            "accepted_readings": len(accepted) / len(right) if right else 0.0,
        }
        return metrics | ({"accepted_reading_accuracy": sum(accepted) / len(accepted)} if accepted else {})
