"""What a report is made of: charts, tables and galleries under a heading, with a sentence on each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

REJECT_FROM = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Least confidences that a reject table looks at."""

Z_95 = 1.959964
"""Of the normal distribution: 95 % lie between minus and plus this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Chart:
    """An image by its address (a data URI)."""

    title: str
    note: str
    image: str
    kind: Literal["chart"] = "chart"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; ``marked`` is the index of a row that stands out, -1 for none."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: int = -1
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images (address, caption)."""

    title: str
    note: str
    images: Sequence[tuple[str, str]]
    kind: Literal["gallery"] = "gallery"


Block = Chart | Table | Gallery


def shown(value: float | None) -> str:
    """A figure between 0 and 1, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def figures_table(metrics: Mapping[str, Mapping[str, float]], note: str, skip: Sequence[str] = ()) -> Table:
    """The figures of all splits side by side, without the names that begin with one of ``skip``."""
    names = dict.fromkeys(name for values in metrics.values() for name in values)
    rows = [
        (name, *(shown(values.get(name)) for values in metrics.values()))
        for name in names
        if not name.startswith(tuple(skip)) or name.endswith("/allClasses")
    ]
    return Table("Figures", note, ("", *metrics), rows)


def interval(share: float, count: int) -> tuple[float, float]:
    """Where a share that was seen in ``count`` cases truly lies in 95 of 100 such samples.

    Wilson's score interval, which stays within 0 and 1 and is right for few cases, too.
    """
    if count == 0:
        return 0.0, 1.0
    square = Z_95**2 / count
    centre = (share + square / 2) / (1 + square)
    half = Z_95 / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def reject_table(
    title: str, note: str, confidence: npt.NDArray[np.float32], right: npt.NDArray[np.int64]
) -> Table:
    """What comes of leaving unsure answers to people: ``confidence`` and ``right`` (0 or 1) of N answers."""
    rows = []
    for least in REJECT_FROM:
        answered = confidence >= least
        count = int(answered.sum())
        share = float(right[answered].mean()) if count else None
        low, high = interval(share or 0.0, count)
        within = "–" if share is None else f"{low:.3f} to {high:.3f}"
        rows.append((f"{least:.2f}", shown(count / max(len(right), 1)), shown(share), within))
    return Table(title, note, ("confidence from", "answered", "of these right", "truly, 95 %"), rows)
