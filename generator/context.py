"""What the texts of a workflow may name, and how they are filled."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from generator.errors import Diagnostic, InputError
from generator.spec.document import Scenario
from generator.spec.parameters import Parameter, canonical
from generator.spec.resolve import ResolvedExecutable
from generator.templating import fill
from generator.version import TOOL


def header(source: str) -> str:
    """First line of every rendered file that can hold a comment."""
    return f"# Rendered by {TOOL} from {source}; edit that file and run `{TOOL} render`, not this one.\n"


def fill_text(executable: ResolvedExecutable, name: str, path: str) -> str:
    """Fill one text of the executable's workflow with `values`.

    Raises InputError, at `path`, when the text names something that is not there.
    """
    try:
        return fill(executable.workflow.texts[name], values(executable))
    except TemplateError as error:
        message = f"{name} of workflow `{executable.workflow.name}` cannot be filled: {error.message}"
        raise InputError([Diagnostic(path, 1, 1, "template-syntax", message)]) from None


def values(executable: ResolvedExecutable) -> dict[str, Any]:
    """Names a workflow's text may use; every leaf becomes a quoted literal (see `templating`)."""
    spec, scenario, workflow = executable.spec, executable.scenario.metadata, executable.workflow
    return {
        "executable": {
            "id": executable.id,
            "title": spec.title or executable.id,
            "description": spec.description or workflow.description,
            "image": spec.image,
            "image_pull_secret": spec.image_pull_secret,
            "resource_plan": spec.resource_plan,
            "instance_type": spec.instance_type,
        },
        "scenario": {
            "id": scenario.name,
            "title": scenario.title or scenario.name,
            "version": scenario.version,
        },
        "labels": _labels(executable.scenario),
        "annotations": _annotations(executable),
        "machine_labels": _machine_labels(executable),
        "inputs": [{"name": name, "path": port.path} for name, port in sorted(workflow.inputs.items())],
        "outputs": [{"name": name, "path": port.path} for name, port in sorted(workflow.outputs.items())],
        "parameters": [_parameter(parameter) for parameter in workflow.parameters.values()],
        "gpu": spec.uses_gpu,
    }


def _labels(scenario: Scenario) -> list[tuple[str, str]]:
    own = {"scenarios.ai.sap.com/id": scenario.metadata.name, "ai.sap.com/version": scenario.metadata.version}
    return [*own.items(), *sorted(scenario.metadata.labels.items())]


def _machine_labels(executable: ResolvedExecutable) -> list[tuple[str, str]]:
    plan, instance_type = executable.spec.resource_plan, executable.spec.instance_type
    return [("ai.sap.com/resourcePlan", plan)] if plan else [("ai.sap.com/instanceType", str(instance_type))]


def _annotations(executable: ResolvedExecutable) -> list[tuple[str, str]]:
    spec, scenario, workflow = executable.spec, executable.scenario.metadata, executable.workflow
    pairs: list[tuple[str, str | None]] = [
        ("scenarios.ai.sap.com/name", scenario.title or scenario.name),
        ("scenarios.ai.sap.com/description", scenario.description),
        ("executables.ai.sap.com/name", spec.title or executable.id),
        ("executables.ai.sap.com/description", spec.description or workflow.description),
    ]
    for name, port in sorted([*workflow.inputs.items(), *workflow.outputs.items()]):
        pairs.append((f"artifacts.ai.sap.com/{name}.kind", port.kind))
        pairs.append((f"artifacts.ai.sap.com/{name}.description", port.description))
    return [(key, value) for key, value in pairs if value]


def _parameter(parameter: Parameter) -> dict[str, str]:
    return {
        "name": parameter.name,
        "default": canonical(parameter, parameter.default),
        "description": parameter.description,
        "variable": f"TRAINER_{parameter.name.upper()}",
        "reference": f"{{{{workflow.parameters.{parameter.name}}}}}",
    }
