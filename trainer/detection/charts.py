"""Which curves a detector's training draws, and its sample pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.detection.drawing import FOUND, TRUE, draw_boxes, enlarged
from trainer.detection.outcomes import Outcome
from trainer.detection.pictures import PictureSet

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss", "loss/classes", "loss/boxes", "loss/sides")),
    ("validation", ("mAP/allClasses", "coco/mAP", "coco/mAP_75", "reading_accuracy")),
    ("learning rate", ("learning_rate",)),
)
SAMPLES = 12


def draw_samples(
    pictures: PictureSet, outcomes: Sequence[Outcome], classes: Sequence[str], threshold: float, folder: Path
) -> None:
    """Up to twelve pictures with true (green) and found (red) boxes: half the worst, half as they come."""
    folder.mkdir(exist_ok=True)
    worst = sorted(outcomes, key=lambda outcome: -outcome.faults(threshold))[: SAMPLES // 2]
    usual = [outcome for outcome in outcomes if all(outcome is not other for other in worst)]
    for outcome in [*worst, *usual[: SAMPLES - len(worst)]]:
        picture = pictures.pictures[outcome.index]
        letterbox = pictures.letterboxes[outcome.index]
        size = (picture.width, picture.height)
        found = outcome.found.above(threshold)
        with Image.open(picture.path) as image:
            canvas, factor = enlarged(image)
        there = letterbox.to_picture(outcome.boxes, size) * np.float32(factor)
        draw_boxes(canvas, there, [classes[label] for label in outcome.labels], TRUE)
        texts = [
            f"{classes[label]} {score:.0%}" for label, score in zip(found.labels, found.scores, strict=True)
        ]
        boxes = letterbox.to_picture(found.boxes, size) * np.float32(factor)
        draw_boxes(canvas, boxes, texts, FOUND, below=True)
        canvas.save(folder / f"{picture.stem}.png")
