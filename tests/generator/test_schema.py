"""`specs/schema.json` is what the code makes, and judges specs as the code does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import Workflow
from generator.spec.schema import SCHEMA_PATH, schema, schema_bytes

jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema: pip install jsonschema")

ROOT = Path(__file__).parents[2]
TESTDATA = Path(__file__).parent / "testdata"
VALID = sorted((TESTDATA / "valid").glob("*/specs/**/*.yaml")) + sorted((ROOT / "specs").rglob("*.yaml"))
# Faults of shape, which an editor can show; references and ranges of sweeps are for `corespec validate`.
VISIBLE = ["unknown-keys", "wrong-types", "environments", "secrets"]


@pytest.fixture(scope="module")
def validator() -> Any:
    content = json.loads((ROOT / SCHEMA_PATH).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(content)
    return jsonschema.Draft7Validator(content)


def test_the_committed_schema_is_fresh(catalog: Mapping[str, Workflow]) -> None:
    """Stale? `python -m generator.spec.schema > specs/schema.json`."""
    assert (ROOT / SCHEMA_PATH).read_bytes() == schema_bytes(catalog)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_editors_accept_valid_specs(path: Path, validator: Any) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "bottles":  # tests spellings that only our reader turns into text
        content["metadata"]["version"], content["executables"]["caps-on-cpu"]["title"] = "1.10", "no"
        content["executions"]["sweep"]["rerunAfter"] = "2026-01-31T08:00:00+01:00"
        content["configurations"]["sweep"]["parameters"]["early_stopping"] = False
    assert [error.message for error in validator.iter_errors(content)] == []


@pytest.mark.parametrize("case", VISIBLE)
def test_editors_mark_faults_of_shape(case: str, validator: Any) -> None:
    files = (TESTDATA / "invalid" / case / "specs").rglob("*.yaml")
    contents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in files]
    assert any(not validator.is_valid(content) for content in contents)


def test_every_key_and_parameter_is_described(catalog: Mapping[str, Workflow]) -> None:
    """What an editor shows on hover: no property of any model is without words, and parameters name their
    default.
    """
    content = schema(catalog)
    for name, definition in content["definitions"].items():
        for key, field in definition.get("properties", {}).items():
            assert _described(field), f"{name}.{key}"
    parameters = content["definitions"]["Configuration"]["properties"]["parameters"]["properties"]
    assert parameters["maximum_training_steps"]["description"].endswith("Default: 3000.")
    assert "12 (object-detection-train)" in parameters["batch_size"]["description"]
    assert set(parameters) == {name for workflow in catalog.values() for name in workflow.parameters}


def _described(field: Mapping[str, Any]) -> bool:
    return bool(field.get("description")) or "$ref" in field or "const" in field
