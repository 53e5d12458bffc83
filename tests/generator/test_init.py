"""`corespec init` writes a project that is valid, rendered and gated from the first minute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from generator.catalog import Workflow, load_catalog
from generator.errors import InputError
from generator.init import init_project
from generator.project import load_project
from generator.render import render
from generator.rendered import rendered_drift
from generator.spec.resolve import resolve


@pytest.mark.parametrize("workflow", sorted(load_catalog()))
def test_a_starter_project_is_valid_and_freshly_rendered(
    tmp_path: Path, catalog: Mapping[str, Workflow], workflow: str
) -> None:
    """For every workflow of the catalogue."""
    written = init_project(tmp_path, "bottle-caps", workflow)
    assert written == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    project = load_project(tmp_path, catalog)
    assert rendered_drift(tmp_path, render(resolve(project, "local", catalog))) == ""


def test_its_ci_examples_run_the_gate(tmp_path: Path) -> None:
    init_project(tmp_path, "bottle-caps")
    github = yaml.safe_load((tmp_path / ".github/workflows/corespec.yaml").read_text())
    gitlab = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())
    steps = [step["run"] for step in github["jobs"]["check"]["steps"] if "run" in step]
    gate = ["corespec validate", "corespec lint rendered/*/templates", "corespec render --check"]
    for commands in (steps, gitlab["corespec"]["script"]):
        assert commands[1:4] == gate


def test_state_data_and_keys_are_ignored_by_git(tmp_path: Path) -> None:
    init_project(tmp_path, "bottle-caps")
    ignored = (tmp_path / ".gitignore").read_text().splitlines()
    assert {".corespec/", "/data/", "*service-key*.json"} <= set(ignored)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"README\.md:1:1: file-exists"):
        init_project(tmp_path, "bottle-caps")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_an_unknown_workflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown-workflow: .*did you mean `batch-processing`"):
        init_project(tmp_path, "bottle-caps", "batch-procesing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["", "abc", "Bottle-Caps", "bottle caps", "1234", "a" * 41, "../up", "caps-"]
)
def test_a_name_that_ai_core_would_refuse_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="illegal-name"):
        init_project(tmp_path, name)
    assert list(tmp_path.iterdir()) == []
