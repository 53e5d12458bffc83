"""`corespec logs`: what an execution printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Execution, Format, Output
from corespec.project import latest_execution, session
from reconciler.exitcode import ExitCode


def run(
    execution: Execution = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
    form: Output = Format.TEXT,
) -> int:
    """Print the log of an execution: by id, or the latest one of a configuration by its name."""
    opened = session(directory, environment, catalog)
    run = opened.find_execution(execution) if execution else latest_execution(opened)
    lines = opened.logs(run.id, follow=follow)
    if form is Format.JSON:
        found = [{"timestamp": line.timestamp.isoformat(), "message": line.message} for line in lines]
        output.emit({"execution": run.id, "configuration": run.configuration_name, "lines": found})
        return ExitCode.CONVERGED
    for line in lines:
        output.say(line.message)
    return ExitCode.CONVERGED
