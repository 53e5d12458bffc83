"""`corespec adopt`: what AI Core has already, as specs that start nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from corespec import output
from corespec.errors import CommandError
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import session
from reconciler.adopting import Adopter, Adoption
from reconciler.clock import SystemClock
from reconciler.exitcode import ExitCode
from reconciler.files import write_atomically
from reconciler.plan_model import counted


def run(
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="ID", help="Scenario in AI Core to look at.")
    ],
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the scenario's spec: a new file, or into the one it has.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the whole spec there instead.")
    ] = None,
    form: Output = Format.TEXT,
) -> int:
    """List what no spec owns in a scenario of AI Core, and write it into the scenario's spec.

    Everything is written as `observe: true`: looked at, and nothing else, until that line is removed. Before
    a byte is written the plan over the new specs is made: it has to start, create and change nothing, or exit
    code 2 says why. Changes nothing in AI Core.
    """
    if write and out is not None:
        raise CommandError("--write and --out FILE exclude each other", remedy="Name one of them.")
    place = session(directory, environment, catalog)
    adopter = Adopter(place.root, place.environment, catalog or (), SystemClock(), scenario)
    adoption = adopter.find()
    target = ""
    if adoption.changed and write:
        adopter.write(adoption)
        target = str(directory / adoption.path)
    elif out is not None and adoption.after:
        write_atomically(out, adoption.after.encode("utf-8"))
        target = str(out)
    if form is Format.JSON:
        output.emit(_document(adoption, target))
    else:
        _print(adoption, target)
    return ExitCode.CONVERGED


def _document(adoption: Adoption, target: str) -> dict[str, Any]:
    return {
        "kind": "Adoption",
        "environment": adoption.environment,
        "scenario": adoption.scenario,
        "file": adoption.path,
        "written": target,
        "objects": [one.document() for one in adoption.found.objects],
        "left": [one.document() for one in adoption.found.left],
        "completed": list(adoption.completed),
        "warnings": [problem.document() for problem in adoption.warnings],
        "plan": {"digest": adoption.plan.digest, "summary": adoption.plan.summary},
    }


def _print(adoption: Adoption, target: str) -> None:
    found = adoption.found
    if found.objects:
        table = output.table("kind", "id", "name", "status", "address")
        for one in found.objects:
            cells = (one.kind, one.id, one.name, one.status, one.address)
            table.add_row(*map(escape, cells))
        output.show(table)
        output.say()
    for address in adoption.completed:
        output.say(f"{address}: its content is known now.")
    for left in found.left:
        output.say(f"left: {left.kind} {left.name} ({left.id}): {left.reason}")
    for problem in adoption.warnings:
        output.say(f"warning: {problem.address}: {problem.message}")
    output.say(_close(adoption, target))


def _close(adoption: Adoption, target: str) -> str:
    if not adoption.changed and not target:
        return f"The specs own all of scenario {adoption.scenario} that a spec can own."
    what = (
        f"{counted(len(adoption.found.objects), 'object')} of scenario {adoption.scenario} can be adopted; "
    )
    what += "the plan over them starts and creates nothing."
    if not target:
        return f"{what}\nNothing is written: --write writes {adoption.path}, --out FILE another file."
    said = f"{what}\nWritten: {target}."
    if adoption.respelled and target.endswith(adoption.path):
        said += f" {counted(adoption.respelled, 'line')} of it had to be spelled in another way."
    return f"{said} Commit it; remove `observe: true` from what corespec shall manage."
