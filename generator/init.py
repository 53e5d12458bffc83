"""`corespec init`: a project folder of the user's own, complete from the first minute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.catalog import Workflow, load_catalog
from generator.errors import Diagnostic, InputError
from generator.project import load_project
from generator.render import render
from generator.rendered import write_rendered
from generator.spec.resolve import resolve
from generator.spec.schema import SCHEMA_PATH, schema_bytes
from generator.suggest import did_you_mean
from generator.templating import Bare, fill
from generator.version import tool_version

__all__ = ["init_project"]

STARTER = Path(__file__).parent / "starter"
ENVIRONMENT = "local"
DEFAULT_WORKFLOW = "object-detection-train"
_NAME = re.compile(r"[a-z][a-z0-9-]{2,38}[a-z0-9]")
_PLANS = {"training": "train.l", "batch": "basic", "serving": "infer.s"}
# What a first training of one dataset wants, where the workflow has such parameters.
_FIRST = {"maximum_training_steps": "1000", "train": "0.8", "validation": "0.1", "test": "0.1"}


def init_project(
    root: Path, name: str, workflow: str = DEFAULT_WORKFLOW, catalog: Mapping[str, Workflow] | None = None
) -> list[Path]:
    """Write a starter project for the scenario `name` below `root`; returns the files written, sorted.

    The specs are valid and already rendered. A serving workflow comes with a training one, without which AI
    Core shows no scenario. Raises InputError, and writes nothing, when the name is not legal, the catalogue
    has no such workflow, or a file that would be written is there already.
    """
    workflows = load_catalog() if catalog is None else catalog
    _check(name, workflow, workflows)
    files = starter_files(name) | {f"specs/{name}.yaml": _scenario(name, workflows[workflow], workflows)}
    refuse_existing(root, files)
    write_new(root, files)
    rendered = render(resolve(load_project(root, workflows), ENVIRONMENT, workflows))
    return sorted(root / path for path in [*files, *write_rendered(root, rendered)])


def starter_files(name: str) -> dict[str, bytes]:
    """Everything of a starter project but its scenario: path relative to the project root -> content."""
    values = {"name": Bare(name), "version": Bare(tool_version())}
    sources = {
        f"specs/environments/{ENVIRONMENT}.yaml": "environment.yaml.j2",
        ".gitignore": "gitignore.j2",
        "README.md": "readme.md.j2",
        ".github/workflows/corespec.yaml": "github.yaml.j2",
        ".gitlab-ci.yml": "gitlab-ci.yml.j2",
    }
    files = {path: _filled(text, values) for path, text in sources.items()}
    return {**files, SCHEMA_PATH: schema_bytes(load_catalog())}


def refuse_existing(root: Path, files: Mapping[str, bytes]) -> None:
    """Raise InputError, naming each, when one of the files, or the rendered folder, is there already."""
    existing = [path for path in [*files, f"rendered/{ENVIRONMENT}"] if (root / path).exists()]
    if existing:
        message = "is there already and would be overwritten; choose an empty folder"
        raise InputError(Diagnostic(path, 1, 1, "file-exists", message) for path in existing)


def write_new(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files that are not there yet."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _check(name: str, workflow: str, workflows: Mapping[str, Workflow]) -> None:
    if not _NAME.fullmatch(name):
        message = "must be 4 to 40 lower-case letters, digits and hyphens, beginning with a letter"
        raise InputError([Diagnostic(name, 1, 1, "illegal-name", message)])
    if workflow not in workflows:
        message = f"the catalogue has no such workflow; {did_you_mean(workflow, workflows)}"
        raise InputError([Diagnostic(workflow, 1, 1, "unknown-workflow", message)])


def _scenario(name: str, workflow: Workflow, workflows: Mapping[str, Workflow]) -> bytes:
    """The first scenario: one executable of the workflow, a dataset for each of its inputs, one run."""
    run = workflows[DEFAULT_WORKFLOW] if workflow.kind == "serving" else workflow
    chosen = [run, workflow] if run is not workflow else [run]
    datasets = {port: "pictures" if item.kind == "dataset" else port for port, item in run.inputs.items()}
    values = {
        "name": Bare(name),
        "title": Bare(name.replace("-", " ").capitalize()),
        "executables": [_executable(name, item) for item in chosen],
        "datasets": [
            {
                "name": Bare(datasets[port]),
                "kind": Bare(item.kind),
                "hint": Bare(" ".join(item.description.split())),
            }
            for port, item in run.inputs.items()
        ],
        "inputs": Bare(", ".join(f"{port}: {dataset}" for port, dataset in datasets.items())),
        "parameters": [(Bare(key), Bare(value)) for key, value in _FIRST.items() if key in run.parameters],
    }
    return _filled("scenario.yaml.j2", values)


def _executable(name: str, workflow: Workflow) -> dict[str, Bare]:
    return {
        "id": Bare(f"{name}-{workflow.kind}"),
        "workflow": Bare(workflow.name),
        "plan": Bare(_PLANS[workflow.kind]),
    }


def _filled(text: str, values: Mapping[str, Any]) -> bytes:
    return fill((STARTER / text).read_text(encoding="utf-8"), values).encode("utf-8")
