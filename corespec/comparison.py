"""A comparison of executions as text, CSV or Markdown."""

from __future__ import annotations

import csv
import io

from rich.table import Table

from corespec import output
from reconciler.compare import Comparison, Row


def as_table(found: Comparison) -> Table:
    """For a terminal: the best value of each metric has a star."""
    metrics = [f"{name} *" if name == found.ranked_by else name for name in found.metrics]
    table = output.table("", "configuration", "execution", "data", *found.parameters, *metrics, right=True)
    for number, row in enumerate(found.rows, 1):
        rank = str(number) if found.ranked_by in row.values else ""
        table.add_row(rank, *_words(row, found), *_cells(row, found, "{} *"))
    return table


def as_csv(found: Comparison) -> str:
    """All digits of every value, and nothing marked: for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "configuration", "execution", "split", *found.parameters, *found.metrics])
    for number, row in enumerate(found.rows, 1):
        values = [repr(row.values[name]) if name in row.values else "" for name in found.metrics]
        rank = number if found.ranked_by in row.values else ""
        words = [row.configuration, row.execution, row.split, *_parameters(row, found)]
        writer.writerow([rank, *map(_inert, words), *values])
    return text.getvalue()


def as_markdown(found: Comparison) -> str:
    """For a pull request: the best value of each metric is bold."""
    heads = ["", "configuration", "execution", "data", *found.parameters, *found.metrics]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for number, row in enumerate(found.rows, 1):
        rank = str(number) if found.ranked_by in row.values else ""
        lines.append(_line([rank, *map(_escaped, _words(row, found)), *_cells(row, found, "**{}**")]))
    return "\n".join(lines) + "\n"


def _words(row: Row, found: Comparison) -> list[str]:
    return [row.configuration, row.execution, row.split or "all data", *_parameters(row, found)]


def _parameters(row: Row, found: Comparison) -> list[str]:
    return [row.parameters.get(name, "") for name in found.parameters]


def _cells(row: Row, found: Comparison, best: str) -> list[str]:
    cells = []
    for name in found.metrics:
        value = row.values.get(name)
        text = "" if value is None else f"{value:.3f}"
        cells.append(best.format(text) if text and value == found.best(name) else text)
    return cells


def _inert(text: str) -> str:
    """A spreadsheet takes text that begins like a formula for one."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
