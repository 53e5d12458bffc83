"""Executions side by side: what differs between them, what they measured, and which is best. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.figures import last_values, lower_is_better
from reconciler.live import Configuration, Execution, Metrics
from reconciler.plan_model import FORMAT_VERSION

#: Splits by how much their figure says about new pictures.
SPLITS = ("test", "validation", "train", "")
RANKED_BY = "mAP/allClasses"
#: Metrics that follow the steps of a training and say nothing as one figure.
_COURSE = ("learning_rate", "images_per_second", "loss")
_PER_CLASS = ("mAP/", "accuracy/", "recall/", "f1score/")


@dataclass(frozen=True, slots=True)
class Measured:
    """An execution with what it ran and what it tracked."""

    execution: Execution
    configuration: Configuration
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Row:
    """One execution: `parameters` holds those that differ in the table, `values` the last of each metric."""

    execution: str
    configuration: str
    status: str
    split: str
    parameters: Mapping[str, str]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Executions, best first; those without the ranking metric last, by name."""

    ranked_by: str
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]

    def best(self, metric: str) -> float | None:
        """The best value of a metric, None where fewer than two executions measured it."""
        values = [row.values[metric] for row in self.rows if metric in row.values]
        if len(values) < 2:
            return None
        return min(values) if lower_is_better(metric) else max(values)

    def document(self) -> dict[str, Any]:
        """The table for machines."""
        return {
            "format_version": FORMAT_VERSION,
            "kind": "Comparison",
            "ranked_by": self.ranked_by,
            "parameters": list(self.parameters),
            "metrics": list(self.metrics),
            "executions": [
                {
                    "rank": number if self.ranked_by in row.values else None,
                    "execution": row.execution,
                    "configuration": row.configuration,
                    "status": row.status,
                    "split": row.split,
                    "parameters": dict(row.parameters),
                    "metrics": dict(row.values),
                }
                for number, row in enumerate(self.rows, 1)
            ],
        }


def compare(
    measured: Sequence[Measured],
    *,
    ranked_by: str = RANKED_BY,
    split: str | None = None,
    everything: bool = False,
) -> Comparison:
    """Rank executions by the last value of one metric.

    `split`: the data that counts; None takes, for each execution, the first of test, validation, train that
    it measured `ranked_by` on. Figures per class and of the course (loss, speed) are left out unless
    `everything`.
    """
    differing = _differing([item.configuration.parameters for item in measured])
    rows = [_row(item, differing, ranked_by, split, everything) for item in measured]
    found = {metric for row in rows for metric in row.values}
    return Comparison(
        ranked_by,
        differing,
        tuple(sorted(found, key=lambda metric: (metric != ranked_by, metric))),
        tuple(sorted(rows, key=lambda row: _rank(row, ranked_by))),
    )


def _differing(parameters: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    names = sorted({name for item in parameters for name in item})
    return tuple(name for name in names if len({item.get(name) for item in parameters}) > 1)


def _row(
    item: Measured, differing: tuple[str, ...], ranked_by: str, split: str | None, everything: bool
) -> Row:
    splits = SPLITS if split is None else (split,)
    tables = {name: last_values(item.metrics, name) for name in splits}
    chosen = next((name for name in splits if ranked_by in tables[name]), None)
    if chosen is None:
        chosen = next((name for name in splits if tables[name]), splits[0])
    values = tables[chosen]
    return Row(
        execution=item.execution.id,
        configuration=item.configuration.name,
        status=item.execution.status,
        split=chosen,
        parameters={name: item.configuration.parameters.get(name, "") for name in differing},
        values={
            name: value
            for name, value in sorted(values.items())
            if everything or name == ranked_by or _is_summary(name)
        },
    )


def _is_summary(metric: str) -> bool:
    return metric == RANKED_BY or not metric.startswith((*_PER_CLASS, *_COURSE))


def _rank(row: Row, metric: str) -> tuple[bool, float, str, str]:
    value = row.values.get(metric)
    if value is None:
        return (True, 0.0, row.configuration, row.execution)
    return (False, value if lower_is_better(metric) else -value, row.configuration, row.execution)
