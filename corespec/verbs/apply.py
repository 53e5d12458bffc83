"""`corespec apply`: plan, ask, and carry it out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

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
    Prune,
    PruneLimit,
    StopRunning,
    SyncTimeout,
    Wait,
    Yes,
    permission,
)
from corespec.outcome import report
from corespec.progress import Display
from corespec.project import session
from corespec.verbs.plan import PlanFormat, printed
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Plan
from reconciler.planfile import PlanFile, read_plan
from reconciler.report.text import plan_text
from reconciler.session import Options, Session

PlanArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        help="What `corespec plan --out` has written: do exactly this, without asking, or nothing.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the plan, as `corespec plan` does.")]


def run(
    file: PlanArgument = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    yes: Yes = False,
    wait: Wait = True,
    max_launches: MaxLaunches = None,
    prune: Prune = False,
    prune_limit: PruneLimit = None,
    stop_running: StopRunning = False,
    lock_timeout: LockTimeout = 0.0,
    sync_timeout: SyncTimeout = 600.0,
    dry_run: DryRun = False,
    form: Output = Format.TEXT,
) -> int:
    """Upload, register, configure and launch what the specs want; show the plan first and ask.

    Killed anywhere, run it again: it goes on from there and does nothing twice. Exit code 4 when an execution
    ended badly. A FILE that is no longer the plan is refused with exit code 2.
    """
    approved = read_plan(file) if file else None
    opened = session(directory, environment or (approved.environment if approved else None), catalog)
    options = Options(
        wait=wait,
        max_launches=max_launches,
        prune=permission(prune, prune_limit, stop_running),
        lock_timeout=lock_timeout,
        sync_timeout=sync_timeout,
    )
    if dry_run:
        return _shown(opened, options, approved, form)
    if not (yes or approved) and not (sys.stdin.isatty() and form is Format.TEXT):
        raise CommandError("apply asks before it acts, and nobody is here to answer", remedy="Give --yes.")
    if form is Format.JSON:
        result = opened.apply(options, approved=approved)
    elif approved:
        with Display(output.console()) as display:
            result = opened.apply(options, approved=approved, listener=display)
    else:
        with Display(output.console()) as display:
            result = opened.apply(options, confirm=lambda plan: _confirmed(plan, yes), listener=display)
    if result is None:
        output.say("Nothing was done.")
        return ExitCode.PENDING
    return report(result, form)


def _shown(opened: Session, options: Options, approved: PlanFile | None, form: Format) -> int:
    max_launches, prune = options.max_launches, options.prune
    if approved:
        approved.check_environment(opened.environment)
        max_launches = approved.max_launches if max_launches is None else max_launches
        prune = prune or approved.prune
    view = opened.view(max_launches=max_launches, prune=prune)
    if approved:
        approved.check(view.plan, view.origin)
    sys.stdout.write(printed(view, PlanFormat(form.value)))
    return view.plan.exit_code


def _confirmed(plan: Plan, yes: bool) -> bool:
    output.say(plan_text(plan))
    return yes or typer.confirm("Do it?")
