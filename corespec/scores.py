"""What executions have measured: a row for each metric, a column for each execution and split. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.live import Metrics
from reconciler.status import split_of

ALL_CLASSES = "mAP/allClasses"
_SPLITS = ("train", "validation", "test", "")
#: Metrics that follow the steps of a training and say nothing as one figure.
_COURSE = ("loss", "learning_rate", "images_per_second")
_LOWER_IS_BETTER = ("loss",)


@dataclass(frozen=True, slots=True)
class Column:
    """One execution on one split; `values` holds the last value of each metric."""

    execution: str
    configuration: str
    split: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """The table; `metrics` in the order of rows: all classes, each class, then the others."""

    metrics: tuple[str, ...]
    columns: tuple[Column, ...]

    def best(self, metric: str, split: str) -> float | None:
        """The best value of a metric on a split where several executions were measured on it, else None."""
        values = [c.values[metric] for c in self.columns if c.split == split and metric in c.values]
        if len(values) < 2:
            return None
        return min(values) if metric.startswith(_LOWER_IS_BETTER) else max(values)

    def document(self) -> dict[str, Any]:
        executions: dict[str, dict[str, Any]] = {}
        for column in self.columns:
            entry = executions.setdefault(
                column.execution,
                {"execution": column.execution, "configuration": column.configuration, "splits": {}},
            )
            entry["splits"][column.split] = dict(column.values)
        return {"metrics": list(self.metrics), "executions": list(executions.values())}


def scores(tracked: Sequence[tuple[str, Metrics]], *, everything: bool = False) -> Scores:
    """The last value of each metric by execution and split; `tracked` pairs configuration names with metrics.

    Loss, learning rate and speed are left out unless `everything`.
    """
    columns = [column for name, metrics in tracked for column in _columns(name, metrics, everything)]
    found = {metric for column in columns for metric in column.values}
    return Scores(tuple(sorted(found, key=_order)), tuple(columns))


def _columns(name: str, metrics: Metrics, everything: bool) -> list[Column]:
    last: dict[str, dict[str, tuple[int, float]]] = {}
    for metric in metrics.metrics:
        if not everything and metric.name.startswith(_COURSE):
            continue
        values = last.setdefault(split_of(metric), {})
        step = metric.step or 0
        if metric.name not in values or step >= values[metric.name][0]:
            values[metric.name] = (step, metric.value)
    return [
        Column(metrics.execution, name, split, {metric: value for metric, (_, value) in last[split].items()})
        for split in _SPLITS
        if split in last
    ]


def _order(metric: str) -> tuple[int, int, str]:
    if metric == ALL_CLASSES:
        return (0, 0, "")
    if metric.startswith("mAP/"):
        label = metric.removeprefix("mAP/")
        return (1, int(label) if label.isdecimal() else 0, label)
    return (2, 0, metric)
