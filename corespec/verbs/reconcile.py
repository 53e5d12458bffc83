"""`corespec reconcile`: the whole way from the branch to AI Core, once or again and again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import sleep as pause
from typing import Annotated

import typer

from corespec import output
from corespec.errors import explain, families
from corespec.options import (
    Catalog,
    Directory,
    Environment,
    Format,
    LockTimeout,
    MaxLaunches,
    Output,
    SyncTimeout,
)
from corespec.outcome import report
from corespec.progress import Display
from corespec.project import session
from reconciler.session import Options, Session


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    once: Annotated[bool, typer.Option("--once", help="One round, for cron; otherwise a loop.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=1, metavar="SECONDS", help="Between two rounds of the loop.")
    ] = 180.0,
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--no-wait", help="Stay until the executions have ended; default: with --once."),
    ] = None,
    max_launches: MaxLaunches = None,
    lock_timeout: LockTimeout = 0.0,
    sync_timeout: SyncTimeout = 600.0,
    form: Output = Format.TEXT,
) -> int:
    """Follow the branch, validate, render, publish where the environment allows it, and apply.

    The loop prints a fault and goes on with the next round; Ctrl-C ends it.
    """
    options = Options(
        wait=once if wait is None else wait,
        max_launches=max_launches,
        lock_timeout=lock_timeout,
        sync_timeout=sync_timeout,
    )
    if once:
        return _round(session(directory, environment, catalog), options, form)
    while True:
        output.note(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} reconcile")
        try:
            _round(session(directory, environment, catalog), options, form)
        except KeyboardInterrupt:
            raise
        except families() as error:
            output.fail(explain(error), as_json=form is Format.JSON)
        pause(interval)


def _round(opened: Session, options: Options, form: Format) -> int:
    if form is Format.JSON:
        return report(opened.reconcile_once(options), form)
    with Display(output.console()) as display:
        result = opened.reconcile_once(options, listener=display)
    return report(result, form)
