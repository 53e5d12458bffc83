"""`corespec init`: a repository of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Catalog, Format, Output
from generator.init import DEFAULT_WORKFLOW, init_project
from generator.project import project_catalog
from reconciler.exitcode import ExitCode


def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the scenario; default: that of the folder.")
    ] = None,
    workflow: Annotated[
        str, typer.Option("--workflow", metavar="NAME", help="What it shall do: see `corespec catalog list`.")
    ] = DEFAULT_WORKFLOW,
    catalog: Catalog = None,
    form: Output = Format.TEXT,
) -> int:
    """Write a first scenario, an environment for this machine, their rendered templates and CI examples.

    Overwrites nothing. What it writes passes `corespec validate` as it stands.
    """
    root = directory.resolve()
    files = init_project(root, name or root.name, workflow, project_catalog(root, catalog or ()))
    written = [path.relative_to(root).as_posix() for path in files]
    if form is Format.JSON:
        output.emit({"project": str(root), "files": written})
        return ExitCode.CONVERGED
    for path in written:
        output.say(f"  {directory / path}")
    output.say(f"{directory} is ready. {directory / 'README.md'} says what comes next:")
    output.say("pictures, a Git remote, `corespec local up`, `corespec plan`.")
    return ExitCode.CONVERGED
