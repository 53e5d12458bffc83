"""Several executions side by side: what was set differently, and what came of it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console import charts
from console import metrics as measured
from console.port import ExecutionDetail, Metric
from console.text import natural

LIMIT = 8  # as many as there are line styles; SAP AI Launchpad stops at five


@dataclass(frozen=True, slots=True)
class Cell:
    """A final value; `best` marks the winner of its column where there is one."""

    value: float | None
    best: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One metric across the executions, all from the same split; `cells` in the order of the executions."""

    name: str
    split: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows are executions; columns are the parameters that differ and the final metrics."""

    executions: tuple[ExecutionDetail, ...]
    differing: Mapping[str, tuple[str | None, ...]]
    same: Mapping[str, str]
    headline: tuple[Column, ...]
    classes: tuple[Column, ...]
    chart: charts.Chart


def compare(executions: Sequence[tuple[ExecutionDetail, Sequence[Metric]]]) -> Comparison:
    """Lay out a comparison; the artifacts an execution read count as parameters."""
    details = tuple(detail for detail, _ in executions)
    settings = [_settings(detail) for detail in details]
    names = sorted({name for one in settings for name in one}, key=natural)
    values = {name: tuple(one.get(name) for one in settings) for name in names}
    groups = [measured.by_key(found) for _, found in executions]
    columns = [_column(name, groups) for name in _metric_names(groups)]
    return Comparison(
        executions=details,
        differing={name: row for name, row in values.items() if len(set(row)) > 1},
        same={name: row[0] for name, row in values.items() if len(set(row)) == 1 and row[0] is not None},
        headline=tuple(column for column in columns if not measured.is_class(column.name)),
        classes=tuple(column for column in columns if measured.is_class(column.name)),
        chart=measured.overlay([(_label(detail, details), found) for detail, found in executions]),
    )


def _settings(detail: ExecutionDetail) -> dict[str, str]:
    return {**detail.parameters, **{f"input {link.port}": link.name or link.url for link in detail.inputs}}


def _metric_names(groups: Sequence[Mapping[measured.Key, Sequence[Metric]]]) -> list[str]:
    found = {key for group in groups for key in group if measured.direction(key[0])}
    ordered = measured.by_key([Metric(name, 0.0, split=split) for name, split in found])
    return list(dict.fromkeys(name for name, _ in ordered))


def _column(name: str, groups: Sequence[Mapping[measured.Key, Sequence[Metric]]]) -> Column:
    split = measured.common_split(name, groups)
    finals = [group[name, split][-1].value if (name, split) in group else None for group in groups]
    finite = [value for value in finals if value is not None and math.isfinite(value)]
    sign = measured.direction(name)
    winner = max(finite, key=lambda value: sign * value) if len(finite) > 1 and len(set(finite)) > 1 else None
    return Column(name, split, tuple(Cell(value, value is not None and value == winner) for value in finals))


def _label(detail: ExecutionDetail, among: Sequence[ExecutionDetail]) -> str:
    """The configuration's name where that is enough to tell the lines apart, else with the id."""
    name = detail.execution.configuration
    alone = sum(other.execution.configuration == name for other in among) == 1
    return name if alone else f"{name} {detail.execution.id}"
