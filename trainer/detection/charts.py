"""Pictures of a finished training: curves, confusion matrix, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from trainer.detection.drawing import FOUND, TRUE, draw_boxes, enlarged
from trainer.detection.evaluation import Outcome, match
from trainer.detection.pictures import PictureSet
from trainer.detection.suppression import Integers, pairwise_overlap

matplotlib.use("Agg")

Curves = Mapping[str, Sequence[tuple[int, float]]]

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss", "loss/classes", "loss/boxes", "loss/sides")),
    ("validation", ("mAP/allClasses", "coco/mAP", "coco/mAP_75", "reading_accuracy")),
    ("learning rate", ("learning_rate",)),
)
SAMPLES = 12


def draw_curves(curves: Curves, path: Path) -> None:
    """Losses, validation figures and learning rate over the steps, as one PNG."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for place, (title, names) in enumerate(PANELS, start=1):
        axes = figure.add_subplot(1, len(PANELS), place)
        for name in names:
            points = curves.get(name, ())
            if points:
                steps, values = zip(*points, strict=True)
                axes.plot(steps, values, label=name, marker="o" if len(points) < 30 else None, markersize=3)
        axes.set_title(title)
        axes.set_xlabel("step")
        if title == "loss":
            axes.set_yscale("log")  # the first steps would flatten everything after them
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def draw_confusion(confusion: Integers, classes: Sequence[str], path: Path) -> None:
    """What is there (rows) against what was found (columns); the last row and column are background."""
    names = [*classes, "background"]
    side = max(4.0, 0.45 * len(names) + 2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("found")
    axes.set_ylabel("there")
    if len(names) <= 30:
        for row, column in zip(*np.nonzero(confusion), strict=True):
            dark = shares[row, column] > 0.5
            axes.text(
                column,
                row,
                str(confusion[row, column]),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )
    figure.savefig(path, dpi=110)


def draw_samples(
    pictures: PictureSet, outcomes: Sequence[Outcome], classes: Sequence[str], threshold: float, folder: Path
) -> None:
    """Up to twelve pictures with true (green) and found (red) boxes: half the worst, half as they come."""
    folder.mkdir(exist_ok=True)
    worst = sorted(outcomes, key=lambda outcome: -_faults(outcome, threshold))[: SAMPLES // 2]
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


def _faults(outcome: Outcome, threshold: float) -> int:
    """Objects missed, misnamed or made up in one picture."""
    found = outcome.found.above(threshold)
    same = found.labels[:, None] == outcome.labels[None, :]
    right = int((match(pairwise_overlap(found.boxes, outcome.boxes) * same) >= 0).sum())
    return len(found.labels) + len(outcome.labels) - 2 * right
