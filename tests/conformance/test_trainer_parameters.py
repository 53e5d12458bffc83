"""The catalogue and the trainer never import each other; here their words are held together."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import pytest

from generator.catalog import Parameter, load_catalog

WORKFLOWS = sorted(load_catalog())
every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS)


@functools.cache
def trained(workflow: str) -> dict[str, dict[str, Any]]:
    """The trainer's own table, as it prints it."""
    command = [sys.executable, "-m", "trainer", "parameters", workflow, "-o", "json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env={}).stdout)
    return {row["name"]: row for row in rows}


def catalogued(workflow: str) -> dict[str, Parameter]:
    return dict(load_catalog()[workflow].parameters)


@every_workflow
def test_the_catalogue_names_exactly_the_parameters_that_the_trainer_reads(workflow: str) -> None:
    """A parameter that only one side knows would be refused in a spec, or silently ignored in a training."""
    assert set(catalogued(workflow)) == set(trained(workflow))


@every_workflow
@pytest.mark.parametrize("field", ["type", "default", "minimum", "maximum", "description", "origin"])
def test_type_default_range_and_words_agree(workflow: str, field: str) -> None:
    """What `corespec validate` accepts is what the trainer accepts, and a default is the same default."""
    assert {name: getattr(row, field) for name, row in catalogued(workflow).items()} == {
        name: row[field] for name, row in trained(workflow).items()
    }


@every_workflow
def test_choices_agree(workflow: str) -> None:
    """Both sides name the same legal values, in whatever order."""
    assert {name: set(row.choices or ()) for name, row in catalogued(workflow).items()} == {
        name: set(row["choices"] or ()) for name, row in trained(workflow).items()
    }


@every_workflow
def test_lists_of_text_agree(workflow: str) -> None:
    """`class_names: [0, 1]` in YAML becomes text on the way, where the trainer wants text."""
    assert {name for name, row in catalogued(workflow).items() if row.items == "string"} == {
        name for name, row in trained(workflow).items() if row["items"] == "string"
    }
