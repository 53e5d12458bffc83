"""Pictures of a finished training: curves and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

matplotlib.use("Agg")

LARGEST_SIDE = 30.0
"""Inches of a confusion matrix, however many classes there are."""

NAMED_CLASSES = 64
"""More names than this cannot be read at that size: the axes then count."""

Curves = Mapping[str, Sequence[tuple[int, float]]]
Panels = Sequence[tuple[str, Sequence[str]]]
"""Title and names of the curves of each panel."""


def draw_curves(curves: Curves, panels: Panels, path: Path) -> None:
    """Curves over the steps, a panel for each group, as one PNG; the panel ``loss`` is logarithmic."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for place, (title, names) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), place)
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


def draw_confusion(confusion: npt.NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """What is there (rows) against what was found (columns)."""
    side = min(LARGEST_SIDE, max(4.0, 0.45 * len(names) + 2))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= NAMED_CLASSES:
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
