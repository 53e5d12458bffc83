"""`corespec plan`: what apply would do, and why."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from corespec.options import Catalog, Directory, Environment, MaxLaunches
from corespec.project import session
from reconciler.report.json import plan_json
from reconciler.report.markdown import plan_markdown
from reconciler.report.text import plan_text


class PlanFormat(StrEnum):
    """How a plan is printed; Markdown is for a pull request."""

    TEXT = "text"
    JSON = "json"
    MD = "md"


Form = Annotated[PlanFormat, typer.Option("--output", "-o", help="md: for a pull request.")]
_PRINT = {PlanFormat.TEXT: plan_text, PlanFormat.JSON: plan_json, PlanFormat.MD: plan_markdown}


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    max_launches: MaxLaunches = None,
    form: Form = PlanFormat.TEXT,
) -> int:
    """Compare the specs with AI Core and show what apply would do, with the reason for each step.

    Changes nothing. Exit code 0 when there is nothing to do, 3 when there is, 2 when it is forbidden.
    """
    plan = session(directory, environment, catalog).plan(max_launches=max_launches)
    sys.stdout.write(_PRINT[form](plan))
    return plan.exit_code
