"""`corespec events`: what happened to which object, latest last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Directory, Environment, Format, Output
from corespec.project import project_root, read_environment
from reconciler.exitcode import ExitCode
from reconciler.history import Histories, Record, read_records
from reconciler.report.text import duration, table
from reconciler.workbench import EVENTS, WORK


def run(
    address: Annotated[
        str | None,
        typer.Argument(help="An object as `corespec status` names it, or the beginning: `execution/meters`."),
    ] = None,
    directory: Directory = Path(),
    environment: Environment = None,
    form: Output = Format.TEXT,
) -> int:
    """Show the last five things that happened to each object: what was done, what failed, how it stands.

    They are what apply and reconcile have written in this folder: ask in the clone in which they work. Asks
    neither AI Core nor Git.
    """
    place: str = read_environment(directory, environment).metadata.name
    records = read_records(project_root(directory) / WORK / EVENTS)
    found = [one for one in Histories(records).every() if one.environment == place and _asked(one, address)]
    if form is Format.JSON:
        output.emit({"kind": "Events", "environment": place, "events": [one.document() for one in found]})
    elif found:
        header = ("LAST SEEN", "COUNT", "SEVERITY", "REASON", "OBJECT", "COMMIT", "MESSAGE")
        now = datetime.now(UTC)
        output.say(table([header, *(_row(one, now) for one in found)]).rstrip("\n"))
    else:
        output.say("Nothing has been written down here yet.")
    return ExitCode.CONVERGED


def _asked(record: Record, address: str | None) -> bool:
    return address is None or record.object == address or record.object.startswith(f"{address.rstrip('/')}/")


def _row(record: Record, now: datetime) -> tuple[str, ...]:
    age = duration((now - record.timestamp).total_seconds())
    said = " | ".join(part.strip() for part in record.message.splitlines() if part.strip())
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in said)
    commit = record.revision[:10] or "-"
    return age, str(record.count), record.severity, record.reason, record.object, commit, shown
