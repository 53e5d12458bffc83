"""`corespec local up|status|down`: the AI Core of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from corespec import localserver, output
from corespec.options import Directory, Environment, Format, Output
from reconciler.exitcode import ExitCode

group = typer.Typer(no_args_is_help=True, help="The AI Core of this machine.")

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Its data folder; default: what the environment names."),
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Default: the one it had before, or a free one."),
]


@group.command("up")
def up(
    directory: Directory = Path(),
    environment: Environment = None,
    data: Data = None,
    port: Port = None,
    form: Output = Format.TEXT,
) -> int:
    """Start it in the background and wait until it answers; do nothing when it runs already."""
    server, started = localserver.start(_data(directory, environment, data), port)
    if form is Format.JSON:
        output.emit({**_document(server), "started": started})
    else:
        output.say(f"The local AI Core {'is up' if started else 'was up already'}: {server.url}")
        output.say(f"  data         {server.data}")
        output.say(f"  service key  {server.data / 'service-key.json'}  (for AICORE_SERVICE_KEY)")
        output.say(f"  log          {server.log}")
    return ExitCode.CONVERGED


@group.command("status")
def status(
    directory: Directory = Path(),
    environment: Environment = None,
    data: Data = None,
    form: Output = Format.TEXT,
) -> int:
    """Say whether it runs and where; exit code 4 when it does not."""
    folder = _data(directory, environment, data)
    server = localserver.running(folder)
    if form is Format.JSON:
        output.emit(_document(server) if server else {"running": False, "data": str(folder)})
    elif server:
        output.say(f"The local AI Core is up: {server.url} (process {server.pid}, data {server.data})")
    else:
        output.say(f"No local AI Core is running on {folder}. `corespec local up` starts one.")
    return ExitCode.CONVERGED if server else ExitCode.NOT_HEALTHY


@group.command("down")
def down(
    directory: Directory = Path(),
    environment: Environment = None,
    data: Data = None,
    form: Output = Format.TEXT,
) -> int:
    """Stop it; its data stays."""
    folder = _data(directory, environment, data)
    stopped = localserver.stop(folder)
    if form is Format.JSON:
        output.emit({"stopped": stopped is not None, "data": str(folder)})
    elif stopped:
        output.say(f"The local AI Core at {stopped.url} is down. Its data stays in {folder}.")
    else:
        output.say(f"No local AI Core was running on {folder}.")
    return ExitCode.CONVERGED


def _document(server: localserver.LocalServer) -> dict[str, Any]:
    return {
        "running": True,
        "url": server.url,
        "pid": server.pid,
        "data": str(server.data),
        "service_key": str(server.data / "service-key.json"),
        "log": str(server.log),
    }


def _data(directory: Path, environment: str | None, data: Path | None) -> Path:
    if data is not None:
        return data.resolve()
    from corespec.project import local_data

    return local_data(directory, environment)
