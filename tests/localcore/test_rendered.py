"""Templates as the generator renders them, from the examples of this repository: all of them run here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcore.serving import render
from localcore.template import read_executable
from localcore.workflow.parse import parse
from localcore.yamldoc import load_documents

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("rendered", "tests/generator/testdata/valid")
    for path in (ROOT / folder).rglob("templates/*.yaml")
)


def _document(file: Path) -> dict[str, Any]:
    (found,) = load_documents((ROOT / file).read_bytes())
    document: dict[str, Any] = found
    return document


@pytest.mark.parametrize("file", FILES, ids=str)
def test_what_is_rendered_can_run(file: Path) -> None:
    """Proves: each is an executable; every workflow parses whole, every serving spec can be filled."""
    document = _document(file)
    executable = read_executable(document)
    assert executable.id == file.stem
    if not executable.deployable:
        assert parse(document).entrypoint == "main"
        return
    artifacts = {port["name"]: f"ai://default/{port['name']}" for port in executable.inputs}
    (container,) = render(document, {}, artifacts).spec["predictor"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert env["STORAGE_URI"] in artifacts.values()
    assert all(isinstance(value, str) for value in env.values())


def test_the_examples_show_both_kinds_and_every_option() -> None:
    """Proves: the test above sees servers, deadlines, retries, disks and shared memory."""
    kinds = {_document(file)["kind"] for file in FILES}
    assert kinds == {"WorkflowTemplate", "ServingTemplate"}
    workflows = [parse(d) for d in map(_document, FILES) if d["kind"] == "WorkflowTemplate"]
    leaves = [t for workflow in workflows for t in workflow.templates.values() if t.container]
    mounts = [mount for leaf in leaves if leaf.container for mount in leaf.container.mounts]
    assert any(workflow.deadline for workflow in workflows)
    assert any(leaf.retry for leaf in leaves)
    assert any(mount.shared for mount in mounts)
    assert any(mount.path == "/dev/shm" for mount in mounts)
