"""Which curves a classifier's training draws, and its sample pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.detection.drawing import FOUND, TRUE, draw_boxes, enlarged
from trainer.labelled.pictures import LabelledSet

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss",)),
    ("validation", ("accuracy", "balanced_accuracy", "f1score")),
    ("learning rate", ("learning_rate",)),
)
SAMPLES = 12


def draw_samples(
    pictures: LabelledSet, probabilities: npt.NDArray[np.float32], classes: Sequence[str], folder: Path
) -> None:
    """The twelve pictures whose true class got the least probability, with what was said: green is right.

    ``probabilities`` (N, classes) are those of the N pictures of the set.
    """
    folder.mkdir(exist_ok=True)
    truth = np.array(pictures.labels)
    worst = np.argsort(probabilities[np.arange(len(truth)), truth], kind="stable")[:SAMPLES]
    for rank, index in enumerate(worst.tolist(), start=1):
        found = int(probabilities[index].argmax())
        with Image.open(pictures.pictures[index].path) as picture:
            canvas, _ = enlarged(picture)
        text = f"{classes[truth[index]]}, taken for {classes[found]} {probabilities[index, found]:.0%}"
        frame = np.array([[0, 0, canvas.width - 1, canvas.height - 1]], dtype=np.float32)
        colour = TRUE if found == truth[index] else FOUND
        draw_boxes(canvas, frame, [text], colour, below=True)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", pictures.pictures[index].stem)
        canvas.save(folder / f"{rank:02d}_{stem[:60]}.png")
