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
    """What one picture of ``size`` (width, height) holds: boxes in its pixels, best first."""

    size: tuple[int, int]
    detections: Detections
    classes: tuple[str, ...]
    reading: Reading | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; boxes in reading order where there is one."""
        order = self.reading.order if self.reading else range(len(self.detections.scores))
        document: dict[str, Any] = {}
        if self.reading:
            document |= {
                "reading": self.reading.text,
                "confidence": round(self.reading.confidence, 4),
                "complete": self.reading.complete,
            }
        document["boxes"] = [
            {
                "class": self.classes[self.detections.labels[index]],
                "score": round(float(self.detections.scores[index]), 4),
                "box": [round(value, 1) for value in self.detections.boxes[index].tolist()],
            }
            for index in order
        ]
        return document

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
        self.digits = card.flag("digits")

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
        found = detect(
            boxes,
            scores,
            class_agnostic=self.class_agnostic,
            threshold=self.threshold,
            overlap=self.overlap,
        )
        letterbox = Letterbox.fit(size, self.card.size)
        placed = Detections(letterbox.to_picture(found.boxes, size), found.scores, found.labels)
        return Found(
            size, placed, self.card.classes, read(placed, self.card.classes) if self.digits else None
        )
