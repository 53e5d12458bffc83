"""Documents rendered from random valid projects: clean, exact, the same bytes whatever the circumstances."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hera.workflows.models import WorkflowTemplate
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.emit import emit
from generator.lint import lint, lint_files
from generator.project import load_project
from generator.render import render
from generator.spec.executable import Executable
from generator.spec.resolve import resolve
from tests.properties.specs import CATALOG, Drawn, projects

EXAMPLES = 14  # projects for each workflow
DOCUMENTS = 200
ROOT = Path(__file__).resolve().parents[2]

Files = dict[str, bytes]
Written = tuple[Drawn, Files]


def rendered(drawn: Drawn, seed: int) -> Files:
    """Everything rendered from a project that is written anew, in the order and spelling of `seed`."""
    with TemporaryDirectory() as folder:
        project = load_project(drawn.write(Path(folder), random.Random(seed)), CATALOG)
        return {
            path: content
            for name in drawn.environments
            for path, content in render(resolve(project, name, CATALOG)).items()
        }


def documents(files: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rendered templates, read as YAML."""
    for path, content in files.items():
        if "/templates/" in path:
            yield path, yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@pytest.fixture(scope="module")
def batch() -> list[Written]:
    """Random projects with what they render, drawn once for all tests."""
    found: list[Written] = []
    for workflow in sorted(CATALOG):

        @settings(max_examples=EXAMPLES, database=None)
        @given(projects(workflow))
        def draw(drawn: Drawn) -> None:
            found.append((drawn, rendered(drawn, 1)))

        draw()
    return found


def test_there_are_at_least_two_hundred_documents_of_all_workflows(batch: list[Written]) -> None:
    """The other tests would say nothing about documents that were not drawn."""
    counted = [document for _, files in batch for _, document in documents(files)]
    assert len(counted) >= DOCUMENTS
    workflows = {
        item["workflow"]
        for drawn, _ in batch
        for document in drawn.documents.values()
        for item in document.get("executables", {}).values()
    }
    assert workflows == set(CATALOG)
    assert {document["kind"] for document in counted} == {"WorkflowTemplate", "ServingTemplate"}


def test_every_field_of_an_executable_was_drawn(batch: list[Written]) -> None:
    """A field that the language gets later is missed here until `specs.py` draws it."""
    drawn = {
        key
        for project, _ in batch
        for document in project.documents.values()
        for item in document.get("executables", {}).values()
        for key in item
    }
    assert drawn == {field.alias for field in Executable.model_fields.values()}


def test_every_document_is_lint_clean(batch: list[Written]) -> None:
    """Each alone, and the files of an environment together: no error, by data and by bytes."""
    for drawn, files in batch:
        for path, document in documents(files):
            assert [item for item in lint(document, path) if item.severity == "error"] == []
        for name in drawn.environments:
            mine = {
                path: content
                for path, content in files.items()
                if path.startswith(f"rendered/{name}/templates/")
            }
            assert [item for item in lint_files(mine) if item.severity == "error"] == []


def test_every_workflow_template_survives_hera_exactly(batch: list[Written]) -> None:
    """hera knows every field, and gives back what it was given; unknown fields are refused, not dropped."""
    for _, files in batch:
        for _, document in documents(files):
            if document["kind"] == "WorkflowTemplate":
                model = WorkflowTemplate.model_validate(document, extra="forbid")
                assert model.model_dump(mode="json", by_alias=True, exclude_none=True) == document


def test_every_document_survives_writing_and_reading(batch: list[Written]) -> None:
    """Read and written again: the same bytes below the comment that names the spec."""
    for _, files in batch:
        for path, document in documents(files):
            head, _, body = files[path].decode().partition("\n")
            assert head.startswith("# Rendered by corespec from specs/")
            assert emit(document) == body


@given(st.sampled_from(sorted(CATALOG)).flatmap(projects))
@settings(max_examples=15)
def test_the_order_of_files_and_keys_and_the_spelling_change_no_byte(drawn: Drawn) -> None:
    """Block style, flow style or JSON; keys and files in any order: the same files, byte for byte."""
    first = rendered(drawn, 1)
    assert all(rendered(drawn, seed) == first for seed in (2, 3))


RENDER_ALL = """
import hashlib, sys
from pathlib import Path
from generator.catalog import load_catalog
from generator.project import load_project
from generator.render import render
from generator.spec.executable import Executable
from generator.spec.resolve import resolve
catalog = load_catalog()
for root in sorted(Path(sys.argv[1]).iterdir()):
    project = load_project(root, catalog)
    total = hashlib.sha256()
    for name in sorted(project.environments):
        for path, content in render(resolve(project, name, catalog)).items():
            total.update(path.encode() + content)
    print(total.hexdigest())
"""


@pytest.mark.parametrize(
    "circumstances",
    [
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"},
        {"LC_ALL": "C", "TZ": "Pacific/Marquesas", "PYTHONHASHSEED": "4711", "PYTHONUTF8": "0"},
    ],
    ids=["turkish", "plain-c"],
)
def test_locale_time_zone_and_hash_seed_change_no_byte(
    batch: list[Written], circumstances: dict[str, str], tmp_path: Path
) -> None:
    """One other process renders all projects under other circumstances: the same bytes as here."""
    expected = []
    for number, (drawn, files) in enumerate(batch):
        drawn.write(tmp_path / f"{number:04}", random.Random(number))
        total = hashlib.sha256()
        for name in drawn.environments:
            for path, content in files.items():
                if path.startswith(f"rendered/{name}/"):
                    total.update(path.encode() + content)
        expected.append(total.hexdigest())
    command = [sys.executable, "-c", RENDER_ALL, str(tmp_path)]
    run = subprocess.run(
        command, env={**os.environ, **circumstances}, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == expected
