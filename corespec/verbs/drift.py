"""`corespec drift`: what somebody changed by hand."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from corespec.options import Catalog, Directory, Environment
from corespec.project import session
from generator.images.engine import connect
from reconciler.report.drift import drift_markdown, drift_text
from reconciler.report.json import drift_json


class DriftFormat(StrEnum):
    """How a report is printed; Markdown is for an issue or a comment."""

    TEXT = "text"
    JSON = "json"
    MD = "md"


Form = Annotated[DriftFormat, typer.Option("--output", "-o", help="md: for an issue or a comment.")]
_PRINT = {DriftFormat.TEXT: drift_text, DriftFormat.JSON: drift_json, DriftFormat.MD: drift_markdown}


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    images: Annotated[
        bool,
        typer.Option("--images", help="Ask the registries, through the Docker engine, for moved tags too."),
    ] = False,
    form: Form = DriftFormat.TEXT,
) -> int:
    """Compare AI Core, the object stores and rendered/ with what the pushed specs ask for.

    Reads only. Exit code 3 for differences that no spec commit explains, 0 without; what apply has still to
    do is no drift. drift-ignore.yaml names differences to bear, each with a reason and an expiry.
    """
    engine = connect() if images else None
    drift = session(directory, environment, catalog).drift(engine)
    sys.stdout.write(_PRINT[form](drift))
    return drift.exit_code
