"""Examples are tests: what the documentation shows is valid, and what is committed is fresh."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from generator.catalog import BUILT_IN, Workflow, load_catalog
from generator.project import load_project
from generator.render import render
from generator.rendered import rendered_drift
from generator.spec.resolve import resolve

ROOT = Path(__file__).parents[2]


def blocks(name: str) -> list[str]:
    """The YAML examples of a page."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_spec_reference_are_a_project(
    tmp_path: Path, catalog: Mapping[str, Workflow]
) -> None:
    scenario, environment = blocks("spec.md")
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "specs" / "scenario.yaml").write_text(scenario)
    (tmp_path / "specs" / "environments" / "cloud.yaml").write_text(environment)
    resolved = resolve(load_project(tmp_path, catalog), "cloud", catalog)
    assert render(resolved)
    assert len(resolved.configurations) == len(resolved.executions) == 8


def test_the_spec_reference_names_every_key(catalog: Mapping[str, Workflow]) -> None:
    """A key that is added to a model must be explained."""
    from generator.spec.schema import schema

    page = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
    definitions = schema(catalog)["definitions"]
    keys = {key for definition in definitions.values() for key in definition["properties"]}
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", page)) == []


def test_the_example_of_the_catalogue_page_is_a_workflow(tmp_path: Path) -> None:
    folder = tmp_path / "bottle-detection"
    shutil.copytree(BUILT_IN / "object-detection-train", folder)
    (folder / "workflow.yaml").write_text(blocks("catalog.md")[0])
    assert load_catalog([tmp_path])["bottle-detection"].parameters["epochs"].maximum == 1000


def test_the_specs_of_this_repository_are_valid_and_rendered(catalog: Mapping[str, Workflow]) -> None:
    """Stale? `corespec render`."""
    project = load_project(ROOT, catalog)
    for environment in project.environments:
        assert rendered_drift(ROOT, render(resolve(project, environment, catalog))) == ""
