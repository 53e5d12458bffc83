"""`corespec validate`: every error of every spec in one run."""

from __future__ import annotations

from pathlib import Path

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load_all
from generator.errors import Diagnostic, InputError
from reconciler.exitcode import ExitCode


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    form: Output = Format.TEXT,
) -> int:
    """Check every spec, its references and its parameters; render every environment and lint what comes out.

    Needs no network and no credentials. Exit code 2 with one line for each error:
    path:line:column: code: message.
    """
    places = load_all(directory, environment, catalog)
    found: list[Diagnostic] = []
    for place in places:
        try:
            place.render()
        except InputError as error:
            found += error.diagnostics
    if found:
        raise InputError(found)
    project = places[0].project
    scenarios = [scenario.metadata.name for scenario in project.scenarios]
    environments = [place.name for place in places]
    if form is Format.JSON:
        output.emit({"valid": True, "scenarios": scenarios, "environments": environments, "diagnostics": []})
    else:
        output.say(f"Valid: {_named('scenario', scenarios)}, {_named('environment', environments)}.")
    return ExitCode.CONVERGED


def _named(noun: str, names: list[str]) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({', '.join(names)})"
