"""What executions have measured: a row for each metric, a column for each execution and split. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.figures import last_values, lower_is_better
from reconciler.live import Metrics

ALL_CLASSES = "mAP/allClasses"
_SPLITS = ("train", "validation", "test", "")
#: Metrics that follow the steps of a training and say nothing as one figure.
_COURSE = ("loss", "learning_rate", "images_per_second")


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
        return min(values) if lower_is_better(metric) else max(values)

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
    found = {split: last_values(metrics, split) for split in _SPLITS}
    return [
        Column(metrics.execution, name, split, shown)
        for split, values in found.items()
        if (
            shown := {
                metric: value
                for metric, value in values.items()
                if everything or not metric.startswith(_COURSE)
            }
        )
    ]


def _order(metric: str) -> tuple[int, int, str]:
    if metric == ALL_CLASSES:
        return (0, 0, "")
    if metric.startswith("mAP/"):
        label = metric.removeprefix("mAP/")
        return (1, int(label) if label.isdecimal() else 0, label)
    return (2, 0, metric)
