"""Metrics as tables and charts. Pure: values in, rows and geometry out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from console import charts
from console.port import Metric
from console.text import natural

ALL_CLASSES = "mAP/allClasses"
_CLASS_PREFIX = "mAP/"
_SPLITS = ("test", "validation", "train", "")  # what a final figure is taken from, best first
_HEADLINE = (ALL_CLASSES, "coco/mAP", "coco/mAP_50", "coco/mAP_75", "reading_accuracy", "loss")
_SHARES = ("reading_accuracy", "accuracy", "precision", "recall", "F1")  # drawn against 0..1 like precision
_NEUTRAL = ("learning_rate", "images_per_second")  # neither large nor small is an achievement of the model

Key = tuple[str, str]  # metric name, data split


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One line of the metrics table: the newest value, the best one and where it was reached."""

    name: str
    split: str
    last: Metric
    best: Metric | None
    count: int


def is_class(name: str) -> bool:
    """Whether a metric is the precision of a single class."""
    return name.startswith(_CLASS_PREFIX) and name != ALL_CLASSES


def direction(name: str) -> int:
    """1 where larger is better, -1 where smaller is, 0 where neither says anything."""
    if name in _NEUTRAL:
        return 0
    return -1 if "loss" in name.lower() or "error" in name.lower() else 1


def best_of(name: str, values: Iterable[Metric]) -> Metric | None:
    """The best finite value in the metric's own direction; the earliest among equals."""
    sign = direction(name)
    finite = [value for value in values if math.isfinite(value.value)]
    return max(finite, key=lambda one: sign * one.value) if finite and sign else None


def by_key(values: Iterable[Metric]) -> dict[Key, list[Metric]]:
    """Values by (name, split), each list in order of step; values without a step keep their order."""
    groups: dict[Key, list[Metric]] = defaultdict(list)
    for value in values:
        groups[value.name, value.split].append(value)
    for group in groups.values():
        group.sort(key=lambda one: -1 if one.step is None else one.step)
    return dict(sorted(groups.items(), key=lambda item: _order(item[0])))


def table(values: Iterable[Metric]) -> tuple[MetricRow, ...]:
    """One row per metric and split, headline figures first, classes in natural order."""
    return tuple(
        MetricRow(name, split, group[-1], best_of(name, group), len(group))
        for (name, split), group in by_key(values).items()
    )


@dataclass(frozen=True, slots=True)
class ChartGroup:
    """Charts that belong together under one heading; `small` ones are laid out side by side."""

    title: str
    small: bool
    charts: tuple[charts.Chart, ...]


def chart_groups(values: Iterable[Metric]) -> tuple[ChartGroup, ...]:
    """The charts of one execution: mAP over all classes, each class, other shares of 1, then the training."""
    series: dict[str, list[charts.Series]] = defaultdict(list)
    for (name, split), group in by_key(values).items():
        series[name].append(charts.Series(split or name, _points(group)))
    for lines in series.values():
        lines.sort(key=lambda line: -len(line.points))  # the curve before the single test figure
    names = sorted(series, key=lambda name: _order((name, "")))
    classes = [name for name in names if is_class(name)]
    other = [name for name in names if name != ALL_CLASSES and not is_class(name)]
    shares = [name for name in other if _bounds(name)]
    training = [name for name in other if not _bounds(name)]
    groups = (
        ChartGroup(
            "Mean average precision", False, _draw(series, [ALL_CLASSES] if ALL_CLASSES in series else [])
        ),
        ChartGroup("Precision by class", True, _draw(series, classes, width=320, height=170)),
        ChartGroup("Other measures of quality", True, _draw(series, shares, width=320, height=170)),
        ChartGroup("Training", True, _draw(series, training, width=320, height=170)),
    )
    return tuple(group for group in groups if group.charts)


def overlay(executions: Sequence[tuple[str, Iterable[Metric]]], name: str = ALL_CLASSES) -> charts.Chart:
    """One metric of several executions in one chart, from the split that most of them were measured on."""
    grouped = [(label, by_key(values)) for label, values in executions]
    split = common_split(name, [groups for _, groups in grouped], for_series=True)
    lines = [
        charts.Series(label, _points(groups[name, split]))
        for label, groups in grouped
        if (name, split) in groups
    ]
    return charts.line_chart(
        f"{name} ({split})" if split else name, lines, bounds=_bounds(name), width=1160, height=300
    )


def common_split(
    name: str, groups: Sequence[Mapping[Key, Sequence[Metric]]], *, for_series: bool = False
) -> str:
    """The split that the most executions have for `name`; a test figure beside a validation figure would lie.

    Among equals the test split wins for final figures; for a series the split with the most values wins,
    because the test split is measured once.
    """

    candidates = sorted(
        {split for group in groups for found, split in group if found == name}, key=_split_rank
    )

    def weight(split: str) -> tuple[int, int]:
        lists = [group[name, split] for group in groups if (name, split) in group]
        return len(lists), sum(map(len, lists)) if for_series else 0

    return max(candidates, key=weight, default="")


def _points(values: Sequence[Metric]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (float(index if value.step is None else value.step), value.value)
        for index, value in enumerate(values)
    )


def _draw(
    series: Mapping[str, Sequence[charts.Series]],
    names: Sequence[str],
    *,
    width: int = 1160,
    height: int = 260,
) -> tuple[charts.Chart, ...]:
    return tuple(
        charts.line_chart(name, series[name], bounds=_bounds(name), width=width, height=height)
        for name in names
    )


def _bounds(name: str) -> tuple[float, float] | None:
    return (0.0, 1.0) if name.startswith((_CLASS_PREFIX, "coco/")) or name in _SHARES else None


def _order(key: Key) -> tuple[int, int, tuple[tuple[int, int, str], ...], int]:
    name, split = key
    rank = _HEADLINE.index(name) if name in _HEADLINE else len(_HEADLINE)
    return (2 if is_class(name) else 1, rank, natural(name), _split_rank(split))


def _split_rank(split: str) -> int:
    return _SPLITS.index(split) if split in _SPLITS else len(_SPLITS)
