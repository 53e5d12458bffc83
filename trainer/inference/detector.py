"""The detector at work: boxes in the pixels of a picture, and the reading where classes are digits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.detection.drawing import FOUND, draw_boxes
from trainer.detection.reading import Reading, read
from trainer.detection.suppression import Detections, detect
from trainer.inference.base import OnnxModel
from trainer.inference.card import Card
from trainer.inference.letterbox import Letterbox


@dataclass(frozen=True, slots=True)
class Found:
    """What one picture of ``size`` (width, height) holds: boxes in its pixels, best first.

    A reading below ``reading_confidence`` is better left to a person.
    """

    size: tuple[int, int]
    detections: Detections
    classes: tuple[str, ...]
    reading: Reading | None
    reading_confidence: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; where there is a reading its boxes come first, in order, then those it leaves out."""
        every = range(len(self.detections.scores))
        if self.reading is None:
            return {"boxes": [self._box(index) for index in every]}
        left_out = [index for index in every if index not in self.reading.order]
        return {
            "reading": self.reading.text,
            "confidence": round(self.reading.confidence, 4),
            "complete": self.reading.complete,
            "accepted": self.reading.accepted(self.reading_confidence),
            "boxes": [self._box(index) for index in (*self.reading.order, *left_out)],
        }

    def _box(self, index: int) -> dict[str, Any]:
        found = self.detections
        return {
            "class": self.classes[found.labels[index]],
            "score": round(float(found.scores[index]), 4),
            "box": [round(value, 1) for value in found.boxes[index].tolist()],
        }

    def draw(self, canvas: Image.Image, factor: float) -> None:
        """Draw the boxes with class and score onto the picture, enlarged by ``factor``."""
        found = self.detections
        texts = [
            f"{self.classes[label]} {score:.0%}"
            for label, score in zip(found.labels, found.scores, strict=True)
        ]
        draw_boxes(canvas, found.boxes * np.float32(factor), texts, FOUND)

    def as_answer(self) -> dict[str, Any]:
        """What the CV package's server answered for one picture; classes are indices."""
        return {
            "scores": self.detections.scores.tolist(),
            "pred_boxes": self.detections.boxes.tolist(),
            "pred_classes": self.detections.labels.tolist(),
        }


class Detector(OnnxModel):
    """A detector's session; ``threshold`` and ``overlap`` replace the model's own where they are given."""

    def __init__(
        self, card: Card, session: Any, *, threshold: float | None = None, overlap: float | None = None
    ) -> None:
        super().__init__(card, session)
        self.threshold = card.fraction("score_threshold") if threshold is None else threshold
        self.overlap = overlap
        self.class_agnostic = card.flag("class_agnostic_nms")
        self.nms_free = "nms_free" in card.document and card.flag("nms_free")  # not in models of before
        self.digits = card.flag("digits")
        limited = card.document.get("reading_confidence") is not None
        self.reading_confidence = card.fraction("reading_confidence") if limited else 0.0

    def infer(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[Found]:
        """What is in prepared pictures whose own sizes (width, height) were ``sizes``."""
        boxes, scores = self.compute(pixels, "boxes", "scores")
        for row, size in enumerate(sizes):
            yield self._found(boxes[row], scores[row], size)

    def _found(
        self, boxes: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], size: tuple[int, int]
    ) -> Found:
        letterbox = Letterbox.fit(size, self.card.size)
        found = detect(
            boxes,
            scores,
            region=letterbox.region,
            class_agnostic=self.class_agnostic,
            threshold=self.threshold,
            overlap=self.overlap,
            nms_free=self.nms_free,
        )
        placed = Detections(letterbox.to_picture(found.boxes, size), found.scores, found.labels)
        reading = read(placed, self.card.classes) if self.digits else None
        return Found(size, placed, self.card.classes, reading, self.reading_confidence)
