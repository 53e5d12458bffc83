"""`corespec catalog list|show`: what specs can use, as `aicore-content list|show` told it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from corespec import output
from corespec.errors import CommandError
from corespec.options import Catalog, Directory, Format, Output
from generator.catalog import ArtifactPort, Parameter, Workflow
from generator.project import project_catalog
from reconciler.exitcode import ExitCode

_RUN_BY = {"training": "`executions`", "batch": "`executions`", "serving": "`deployments`"}
_ORIGINS = {"sap-cv 1.1.7": "Parameters of the CV package 1.1.7", "corespec": "Parameters of Corespec"}

group = typer.Typer(no_args_is_help=True, help="The workflows that specs can use.")


@group.command("list")
def list_(directory: Directory = Path(), catalog: Catalog = None, form: Output = Format.TEXT) -> int:
    """One row for each workflow: the built-in ones, and those of the project and of --catalog."""
    workflows = project_catalog(directory, catalog or ())
    if form is Format.JSON:
        output.emit({"workflows": [_summary(workflow) for workflow in workflows.values()]})
        return ExitCode.CONVERGED
    table = output.table("workflow", "kind", "parameters", "title")
    for workflow in workflows.values():
        table.add_row(workflow.name, workflow.kind, str(len(workflow.parameters)), workflow.title)
    output.show(table)
    return ExitCode.CONVERGED


@group.command("show")
def show(
    workflow: Annotated[str, typer.Argument(help="Name of the workflow.")],
    directory: Directory = Path(),
    catalog: Catalog = None,
    form: Output = Format.TEXT,
) -> int:
    """Everything about one workflow: its artifacts, its parameters with type, default, range and meaning."""
    workflows = project_catalog(directory, catalog or ())
    if workflow not in workflows:
        known = ", ".join(workflows)
        raise CommandError(f"the catalogue has no workflow `{workflow}`", remedy=f"It has: {known}.")
    found = workflows[workflow]
    if form is Format.JSON:
        output.emit(_summary(found) | _details(found))
    else:
        _print(found)
    return ExitCode.CONVERGED


def _print(workflow: Workflow) -> None:
    output.show(
        f"[bold]{workflow.name}[/bold]  {escape(workflow.title)}",
        escape(workflow.description.strip()),
        f"Rendered as a {workflow.template_kind}, run by {_RUN_BY[workflow.kind]}; "
        + (
            "`corespec image build` builds its image."
            if workflow.builds_image
            else "its image is built elsewhere."
        ),
        "",
    )
    artifacts = output.table("artifact", "", "kind", "path", "meaning")
    for direction, ports in (("in", workflow.inputs), ("out", workflow.outputs)):
        for name, port in ports.items():
            artifacts.add_row(name, direction, port.kind, port.path, escape(port.description))
    output.show(artifacts)
    for origin, title in _ORIGINS.items():
        rows = [parameter for parameter in workflow.parameters.values() if parameter.origin == origin]
        if rows:
            output.show(f"\n{title}:\n", _parameters(rows))


def _parameters(rows: Sequence[Parameter]) -> Table:
    table = output.table("parameter", "type", "default", "range", "meaning")
    for row in rows:
        choices = f" One of: {', '.join(row.choices)}." if row.choices else ""
        meaning = escape(row.description + choices)
        table.add_row(row.name, row.type, escape(row.default or '""'), _range(row), meaning)
    return table


def _range(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"


def _summary(workflow: Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "title": workflow.title,
        "kind": workflow.kind,
        "template_kind": workflow.template_kind,
        "description": workflow.description,
    }


def _details(workflow: Workflow) -> dict[str, Any]:
    return {
        "inputs": _ports(workflow.inputs),
        "outputs": _ports(workflow.outputs),
        "parameters": [parameter.model_dump(mode="json") for parameter in workflow.parameters.values()],
        "check": list(workflow.check) if workflow.check else None,
        "builds_image": workflow.builds_image,
        "files": dict(workflow.texts),
    }


def _ports(ports: Mapping[str, ArtifactPort]) -> dict[str, Any]:
    return {name: port.model_dump(mode="json") for name, port in ports.items()}
