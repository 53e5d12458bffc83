"""`corespec render [--check]`: specs to templates, byte for byte the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load_all
from generator.repository import rendered_drift, write_rendered
from reconciler.exitcode import ExitCode


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 3 when rendered/ is stale.")
    ] = False,
    form: Output = Format.TEXT,
) -> int:
    """Write the templates, Dockerfiles and manifest of every environment (or of one) to rendered/.

    Needs no network and no credentials. With --check it prints what would change as a unified diff.
    """
    places = load_all(directory, environment, catalog)
    files = {place.name: place.render() for place in places}
    root = places[0].project.root
    if check:
        return _check(root, files, form)
    changed = [path for rendered in files.values() for path in write_rendered(root, rendered)]
    if form is Format.JSON:
        output.emit({"environments": list(files), "changed": changed})
    elif changed:
        output.say("\n".join(changed))
    else:
        output.say(f"rendered/ is up to date ({', '.join(files)}).")
    return ExitCode.CONVERGED


def _check(root: Path, files: dict[str, dict[str, bytes]], form: Format) -> int:
    difference = "".join(rendered_drift(root, rendered) for rendered in files.values())
    if form is Format.JSON:
        output.emit({"environments": list(files), "stale": bool(difference), "diff": difference})
    elif difference:
        output.say(difference.rstrip("\n"))
        output.note("rendered/ is stale: run `corespec render` and commit what it writes.")
    else:
        output.say(f"rendered/ is up to date ({', '.join(files)}).")
    return ExitCode.PENDING if difference else ExitCode.CONVERGED
