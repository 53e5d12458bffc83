"""The catalogue and the trainer never import each other; here their words are held together."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from generator.catalog import Parameter, load_catalog

WORKFLOW = "object-detection-train"


@pytest.fixture(scope="module")
def trained() -> dict[str, dict[str, Any]]:
    """The trainer's own table, as it prints it."""
    command = [sys.executable, "-m", "trainer", "parameters", WORKFLOW, "-o", "json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {row["name"]: row for row in rows}


@pytest.fixture(scope="module")
def catalogued() -> dict[str, Parameter]:
    return dict(load_catalog()[WORKFLOW].parameters)


def test_the_catalogue_names_exactly_the_parameters_that_the_trainer_reads(
    trained: dict[str, dict[str, Any]], catalogued: dict[str, Parameter]
) -> None:
    """A parameter that only one side knows would be refused in a spec, or silently ignored in a training."""
    assert set(catalogued) == set(trained)


@pytest.mark.parametrize("field", ["type", "default", "minimum", "maximum"])
def test_type_default_and_range_agree(
    field: str, trained: dict[str, dict[str, Any]], catalogued: dict[str, Parameter]
) -> None:
    """What `corespec validate` accepts is what the trainer accepts, and a default is the same default."""
    assert {name: getattr(row, field) for name, row in catalogued.items()} == {
        name: row.get(field) for name, row in trained.items()
    }


def test_choices_agree(trained: dict[str, dict[str, Any]], catalogued: dict[str, Parameter]) -> None:
    """Both sides name the same legal values, in whatever order."""
    assert {name: set(row.choices or ()) for name, row in catalogued.items()} == {
        name: set(row.get("choices") or ()) for name, row in trained.items()
    }
