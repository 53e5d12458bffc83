"""`corespec plan`: what apply would do, and why."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import (
    Catalog,
    Directory,
    Environment,
    MaxLaunches,
    Prune,
    PruneLimit,
    StopRunning,
    permission,
)
from corespec.project import session
from reconciler.files import write_atomically
from reconciler.report.json import plan_json
from reconciler.report.markdown import plan_markdown
from reconciler.report.text import plan_text
from reconciler.session import View


class PlanFormat(StrEnum):
    """How a plan is printed; Markdown is for a pull request."""

    TEXT = "text"
    JSON = "json"
    MD = "md"


Form = Annotated[PlanFormat, typer.Option("--output", "-o", help="md: for a pull request.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the plan there, for `corespec apply FILE`."),
]


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    max_launches: MaxLaunches = None,
    prune: Prune = False,
    prune_limit: PruneLimit = None,
    stop_running: StopRunning = False,
    form: Form = PlanFormat.TEXT,
    out: Out = None,
) -> int:
    """Compare the specs with AI Core and show what apply would do, with the reason for each step.

    Changes nothing. Exit code 0 when there is nothing to do, 3 when there is, 2 when it is forbidden.
    """
    allowed = permission(prune, prune_limit, stop_running)
    view = session(directory, environment, catalog).view(max_launches=max_launches, prune=allowed)
    if out is not None:
        write_atomically(out, plan_json(view.plan, view.origin).encode())
    sys.stdout.write(printed(view, form))
    if out is not None:
        output.note(f"Written: `corespec apply {out}` does this, or nothing if it is no longer the plan.")
    return view.plan.exit_code


def printed(view: View, form: PlanFormat) -> str:
    """The plan in the form that was asked for."""
    if form is PlanFormat.JSON:
        return plan_json(view.plan, view.origin)
    return plan_markdown(view.plan) if form is PlanFormat.MD else plan_text(view.plan)
