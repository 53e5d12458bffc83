"""`corespec status`: one row for each address."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import session
from reconciler.exitcode import ExitCode
from reconciler.health import Health, Sync
from reconciler.report.json import status_json
from reconciler.report.text import status_text
from reconciler.status import Status


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    form: Output = Format.TEXT,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C; exit code 0.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=1, metavar="SECONDS", help="How often --watch looks.")
    ] = 5.0,
) -> int:
    """Say for everything the specs want whether AI Core has it, how it does, and why not.

    Exit code 0 when all is in sync, 3 when something is not, 4 when something is degraded.
    """
    if watch and form is Format.JSON:
        raise CommandError("--watch is for people", remedy="Without it, -o json is one look.")
    opened = session(directory, environment, catalog)
    if watch:
        from corespec.watching import watch_status  # rich: a single look does without

        watch_status(opened.status, output.console(), every, time.sleep)
        return ExitCode.CONVERGED
    status = opened.status()
    sys.stdout.write(status_json(status) if form is Format.JSON else status_text(status))
    return _exit_code(status)


def _exit_code(status: Status) -> ExitCode:
    if any(row.health is Health.DEGRADED for row in status.rows):
        return ExitCode.NOT_HEALTHY
    if any(row.sync is not Sync.SYNCED for row in status.rows):
        return ExitCode.PENDING
    return ExitCode.CONVERGED
