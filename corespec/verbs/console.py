"""`corespec console`: a web page of it all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load
from generator.errors import GeneratorError
from reconciler.exitcode import ExitCode


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8780,
    form: Output = Format.TEXT,
) -> int:
    """Serve states, executions, logs, metrics and charts to this machine until Ctrl-C; it changes nothing."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise CommandError(
            f"the console needs {' and '.join(missing)}, which this installation lacks",
            remedy="Install the extra: pip install 'corespec[console]'",
        )
    from console.app import create_app
    from console.serve import PortInUseError, serve
    from console.source import reconciler_port

    place = load(directory, environment, catalog)
    root, folders = place.project.root, tuple(catalog or ())
    app = create_app(lambda: reconciler_port(root, place.name, folders), failures=(GeneratorError,))
    try:
        serve(app, port, ready=lambda url: _announce(url, form))
    except PortInUseError as error:
        raise CommandError(str(error)) from None
    return ExitCode.CONVERGED


def _announce(url: str, form: Format) -> None:
    if form is Format.JSON:
        output.emit({"url": url})
    else:
        output.say(f"The console is at {url} (Ctrl-C ends it).")
