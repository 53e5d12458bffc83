"""`corespec metrics`: what executions measured, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import latest_execution, session
from corespec.scores import ALL_CLASSES, Scores, scores
from reconciler.exitcode import ExitCode


def run(
    execution: Annotated[
        list[str] | None,
        typer.Argument(help="Ids or configuration names; default: the latest execution."),
    ] = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    everything: Annotated[bool, typer.Option("--all", help="Loss, learning rate and speed too.")] = False,
    form: Output = Format.TEXT,
) -> int:
    """The last value of each metric by split: mAP per class (IoU 0.5), and the rest.

    With several executions they stand side by side, the best of each row marked with a star.
    """
    opened = session(directory, environment, catalog)
    runs = [opened.find_execution(name) for name in execution or ()] or [latest_execution(opened)]
    tracked = [(run.configuration_name, opened.metrics(run.id)) for run in runs]
    table = scores(tracked, everything=everything)
    if form is Format.JSON:
        output.emit(table.document())
        return ExitCode.CONVERGED
    for run in runs:
        output.say(f"{run.configuration_name}  execution {run.id}  {run.status}")
    if table.columns:
        output.show(_table(table))
    else:
        output.say("Nothing has been measured yet.")
    return ExitCode.CONVERGED


def _table(found: Scores) -> Table:
    several = len({column.execution for column in found.columns}) > 1
    names = [f"{column.configuration}\n" if several else "" for column in found.columns]
    splits = [column.split or "all data" for column in found.columns]
    headings = [name + split for name, split in zip(names, splits, strict=True)]
    table = output.table("metric", *headings, right=True)
    for metric in found.metrics:
        style = "bold" if metric == ALL_CLASSES else ""
        table.add_row(metric, *_cells(found, metric), style=style)
    return table


def _cells(found: Scores, metric: str) -> list[str]:
    cells = []
    for column in found.columns:
        value = column.values.get(metric)
        mark = " *" if value is not None and value == found.best(metric, column.split) else ""
        cells.append("" if value is None else f"{value:.3f}{mark}")
    return cells
