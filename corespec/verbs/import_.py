"""`corespec import`: from the content packages, or from templates that exist, to specs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from corespec import output
from corespec.options import Directory, Format, Output
from generator.importing import Imported, Outcome, Row, import_files, write_import
from reconciler.exitcode import ExitCode

_TITLES = {
    Outcome.CARRIED: "Carried as it is:",
    Outcome.CHANGED: "Changed on purpose:",
    Outcome.DROPPED: "Not carried:",
}


def run(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="workflow_config (.yaml, .json, .py, .ipynb), or a template (.yaml, .json).",
        ),
    ],
    directory: Directory = Path(),
    workflow: Annotated[
        str | None,
        typer.Option(
            "--workflow", metavar="NAME", help="Workflow of the catalogue, where a file does not say."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="EXECUTABLE", help="Executable id, where the old one is illegal."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would be.")] = False,
    form: Output = Format.TEXT,
) -> int:
    """Write specs that render to the same executables, parameters, artifacts and labels as the old files.

    Says of everything the old files hold whether it is carried, changed on purpose, or not carried, and why.
    Overwrites nothing and runs nothing: a Python file or notebook is only read. What it writes is rendered
    and compared with the old files first.
    """
    root = directory.resolve()
    imported = import_files(root, files, workflow=workflow, name=name)
    written = sorted(imported.files) if dry_run else write_import(root, imported)
    if form is Format.JSON:
        output.emit(
            {
                "dry_run": dry_run,
                "scenarios": list(imported.scenarios),
                "executables": list(imported.executables),
                "files": written,
                "rows": [_document(row) for row in imported.rows],
            }
        )
        return ExitCode.CONVERGED
    _print(imported)
    _close(written, directory, dry_run)
    return ExitCode.CONVERGED


def _document(row: Row) -> dict[str, str]:
    return {
        "file": row.file,
        "subject": row.subject,
        "outcome": row.outcome.value,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
    }


def _print(imported: Imported) -> None:
    several = len(imported.executables) > 1
    for file, found in groupby(imported.rows, key=lambda row: row.file):
        if several:
            output.say(f"{file}:\n")
        rows = list(found)
        for outcome, title in _TITLES.items():
            _section(title, outcome, [row for row in rows if row.outcome is outcome])


def _section(title: str, outcome: Outcome, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = {
        Outcome.CARRIED: ("what", "value"),
        Outcome.CHANGED: ("what", "there", "here", "why"),
        Outcome.DROPPED: ("what", "value", "why"),
    }
    table = output.table(*columns[outcome])
    for row in rows:
        cells = {
            Outcome.CARRIED: (row.subject, row.before),
            Outcome.CHANGED: (row.subject, row.before or "-", row.after, row.reason),
            Outcome.DROPPED: (row.subject, row.before, row.reason),
        }
        table.add_row(*map(escape, cells[outcome]))
    output.say(title + "\n")
    output.show(table)
    output.say()


def _close(written: Sequence[str], directory: Path, dry_run: bool) -> None:
    output.say("Would write:" if dry_run else "Written:")
    for path in written:
        output.say(f"  {directory / path}")
    if not dry_run:
        output.say("Rendered and compared. Commit it; `corespec publish --pull-request` opens it for review.")
