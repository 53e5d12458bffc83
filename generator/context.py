"""What the texts of a workflow may name, and how they are filled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from generator.errors import Diagnostic, InputError
from generator.spec.document import Scenario
from generator.spec.executable import Retry, Scaling
from generator.spec.parameters import Parameter, canonical
from generator.spec.resolve import ResolvedExecutable
from generator.templating import Bare, chunks
from generator.version import TOOL


def header(source: str) -> str:
    """First line of every rendered file that can hold a comment."""
    return f"# Rendered by {TOOL} from {source}; edit that file and run `{TOOL} render`, not this one.\n"


def fill_text(executable: ResolvedExecutable, name: str, path: str) -> str:
    """Fill one text of the executable's workflow with `values`.

    Raises InputError, at `path`, when the text names something that is not there.
    """
    return "".join(fill_chunks(executable, name, path))


def fill_chunks(executable: ResolvedExecutable, name: str, path: str) -> list[str]:
    """The same in pieces: see `templating.chunks`."""
    workflow = executable.workflow
    try:
        return chunks(workflow.texts[name], values(executable), workflow.shared)
    except TemplateError as error:
        message = f"{name} of workflow `{workflow.name}` cannot be filled: {error.message}"
        raise InputError([Diagnostic(path, 1, 1, "template-syntax", message)]) from None


def values(executable: ResolvedExecutable) -> dict[str, Any]:
    """Names a workflow's text may use; every leaf becomes a quoted literal (see `templating`), except
    `base_image` (for FROM), which a strict pattern has let through.
    """
    spec, scenario, workflow = executable.spec, executable.scenario.metadata, executable.workflow
    ports = sorted(workflow.inputs.items()), sorted(workflow.outputs.items())
    scope = "inputs" if workflow.kind == "serving" else "workflow"
    inputs, outputs = ([_port(name, port.path) for name, port in side] for side in ports)
    return {
        "executable": {
            "id": executable.id,
            "title": spec.title or executable.id,
            "description": spec.description or workflow.description,
            "image": executable.image,
            "base_image": executable.base_image,
            "image_pull_secret": spec.image_pull_secret,
            "resource_plan": spec.resource_plan,
            "instance_type": spec.instance_type,
            "shared_memory": spec.shared_memory,
            "active_deadline_seconds": spec.active_deadline,
            "retry": _retry(spec.retry),
            "volumes": [
                {
                    "name": name,
                    "size": item.size,
                    "mount_path": item.mount_path,
                    "storage_class": item.storage_class,
                }
                for name, item in sorted(spec.volumes.items())
            ],
            "scaling": (spec.scaling or Scaling()).model_dump(),
        },
        "scenario": {
            "id": scenario.name,
            "title": scenario.title or scenario.name,
            "version": scenario.version,
        },
        "workflow": workflow.name,
        "base_image": Bare(executable.base_image),
        "command": " ".join(
            ["exec python -m trainer", workflow.name]
            + [f"--{port['name']} {port['path']}" for port in [*inputs, *outputs]]
        ),
        "labels": _labels(executable.scenario),
        "annotations": _annotations(executable),
        "machine_labels": _machine_labels(executable),
        "inputs": inputs,
        "outputs": outputs,
        "parameters": [_parameter(parameter, scope) for parameter in workflow.parameters.values()],
        "gpu": spec.uses_gpu,
    }


def _port(name: str, path: str) -> dict[str, str]:
    return {"name": name, "path": path, "reference": f"{{{{inputs.artifacts.{name}}}}}"}


def _retry(retry: Retry | None) -> dict[str, Any] | None:
    """Retries with the spellings of Argo: numbers and durations are texts."""
    if retry is None:
        return None
    backoff = retry.backoff
    waits = backoff and {
        "duration": f"{backoff.duration}s",
        "factor": str(backoff.factor),
        "max_duration": f"{backoff.max_duration}s" if backoff.max_duration else None,
    }
    return {"limit": str(retry.limit), "policy": retry.policy, "backoff": waits}


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


@lru_cache(maxsize=4096)
def _parameter(parameter: Parameter, scope: str) -> Mapping[str, str]:
    """The same for every executable of a workflow, and there may be thousands of them."""
    return {
        "name": parameter.name,
        "default": canonical(parameter, parameter.default),
        "description": parameter.description,
        "variable": f"TRAINER_{parameter.name.upper()}",
        "reference": f"{{{{{scope}.parameters.{parameter.name}}}}}",
    }
