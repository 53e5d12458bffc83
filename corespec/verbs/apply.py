"""`corespec apply`: plan, ask, and carry it out."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import (
    Catalog,
    Directory,
    Environment,
    Format,
    LockTimeout,
    MaxLaunches,
    Output,
    SyncTimeout,
    Wait,
    Yes,
)
from corespec.outcome import report
from corespec.progress import Display
from corespec.project import session
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Plan
from reconciler.report.text import plan_text
from reconciler.session import Options


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    yes: Yes = False,
    wait: Wait = True,
    max_launches: MaxLaunches = None,
    lock_timeout: LockTimeout = 0.0,
    sync_timeout: SyncTimeout = 600.0,
    form: Output = Format.TEXT,
) -> int:
    """Upload, register, configure and launch what the specs want; show the plan first and ask.

    Killed anywhere, run it again: it goes on from there and does nothing twice. Exit code 4 when an execution
    ended badly.
    """
    if not yes and not (sys.stdin.isatty() and form is Format.TEXT):
        raise CommandError("apply asks before it acts, and nobody is here to answer", remedy="Give --yes.")
    options = Options(
        wait=wait,
        max_launches=max_launches,
        lock_timeout=lock_timeout,
        sync_timeout=sync_timeout,
    )
    opened = session(directory, environment, catalog)
    if form is Format.JSON:
        result = opened.apply(options)
    else:
        with Display(output.console()) as display:
            result = opened.apply(options, confirm=lambda plan: _confirmed(plan, yes), listener=display)
    if result is None:
        output.say("Nothing was done.")
        return ExitCode.PENDING
    return report(result, form)


def _confirmed(plan: Plan, yes: bool) -> bool:
    output.say(plan_text(plan))
    return yes or typer.confirm("Do it?")
