"""`corespec metrics`: what executions measured, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from corespec import output
from corespec.comparison import as_csv, as_markdown, as_table
from corespec.errors import CommandError
from corespec.options import Catalog, Directory, Environment
from corespec.project import latest_execution, session
from corespec.scores import ALL_CLASSES, Scores, scores
from reconciler.compare import RANKED_BY, compare
from reconciler.exitcode import ExitCode
from reconciler.session import Session


class MetricsFormat(StrEnum):
    """How figures are printed; CSV and Markdown are for comparisons."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def run(
    execution: Annotated[
        list[str] | None,
        typer.Argument(help="Ids or configuration names; default: the latest, or all with --compare."),
    ] = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    everything: Annotated[bool, typer.Option("--all", help="Loss, learning rate and speed too.")] = False,
    ranking: Annotated[
        bool, typer.Option("--compare", help="One row for each execution, best first, with what differs.")
    ] = False,
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="What --compare ranks by.")] = RANKED_BY,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data that counts in --compare; default: test first.")
    ] = None,
    form: Annotated[
        MetricsFormat, typer.Option("--output", "-o", help="For people, machines, sheets or pull requests.")
    ] = MetricsFormat.TEXT,
) -> int:
    """The last value of each metric by split: mAP per class (IoU 0.5), and the rest.

    With several executions they stand side by side, the best of each row marked with a star. With --compare
    they are rows, ranked, with the parameters that differ.
    """
    opened = session(directory, environment, catalog)
    if ranking:
        return _compare(opened, execution or (), by, split, everything, form)
    if form in {MetricsFormat.CSV, MetricsFormat.MARKDOWN}:
        raise CommandError(f"-o {form.value} prints comparisons", remedy="Add --compare.")
    runs = [opened.find_execution(name) for name in execution or ()] or [latest_execution(opened)]
    tracked = [(run.configuration_name, opened.metrics(run.id)) for run in runs]
    table = scores(tracked, everything=everything)
    if form is MetricsFormat.JSON:
        output.emit(table.document())
        return ExitCode.CONVERGED
    for run in runs:
        output.say(f"{run.configuration_name}  execution {run.id}  {run.status}")
    if table.columns:
        output.show(_table(table))
    else:
        output.say("Nothing has been measured yet.")
    return ExitCode.CONVERGED


def _compare(
    opened: Session,
    names: Sequence[str],
    by: str,
    split: str | None,
    everything: bool,
    form: MetricsFormat,
) -> int:
    found = compare(opened.measured(names), ranked_by=by, split=split, everything=everything)
    if form is MetricsFormat.JSON:
        output.emit(found.document())
    elif form is MetricsFormat.CSV:
        output.say(as_csv(found).rstrip("\n"))
    elif form is MetricsFormat.MARKDOWN:
        output.say(as_markdown(found).rstrip("\n"))
    elif found.rows:
        output.show(as_table(found))
        output.say(f"Ranked by {by}; * marks the best of a column.")
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
