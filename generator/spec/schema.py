"""`specs/schema.json`: the spec language as JSON Schema, so that editors complete and explain while one
types.

The schema is a help and not the judge: `corespec validate` checks more, and a parameter of a custom catalogue
stays legal here. `python -m generator.spec.schema` prints it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from generator.catalog import Parameter, Workflow, load_catalog
from generator.spec.document import API_VERSION, Scenario
from generator.spec.environment import Environment

SCHEMA_PATH = "specs/schema.json"
_VALUE = {"type": ["string", "number", "boolean", "array"]}
_TYPES: Mapping[str, list[str]] = {
    "integer": ["integer", "string"],
    "number": ["number", "string"],
    "boolean": ["boolean", "string"],
    "json": ["array", "string"],
    "split": ["number", "string"],
    "string": ["string", "number"],
}

Json = dict[str, Any]


def schema(catalog: Mapping[str, Workflow]) -> Json:
    """JSON Schema (draft 7, which editors know best) for every kind of spec file."""
    definitions: Json = {}
    for model in (Scenario, Environment):
        own = model.model_json_schema(ref_template="#/definitions/{model}", by_alias=True)
        definitions |= own.pop("$defs", {})
        definitions[model.__name__] = own
    _name_parameters(definitions["Configuration"]["properties"], catalog)
    definitions["Executable"]["properties"]["workflow"]["examples"] = sorted(catalog)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Corespec spec file",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": ["Scenario", "Environment"]}},
        "if": {"properties": {"kind": {"const": "Environment"}}, "required": ["kind"]},
        "then": {"$ref": "#/definitions/Environment"},
        "else": {"$ref": "#/definitions/Scenario"},
        "definitions": dict(sorted(_tidy(definitions).items())),
    }


def schema_bytes(catalog: Mapping[str, Workflow]) -> bytes:
    """The content of `specs/schema.json`."""
    return (json.dumps(schema(catalog), indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _name_parameters(properties: Json, catalog: Mapping[str, Workflow]) -> None:
    """Offer the parameters of all workflows where a configuration, its matrix or its list names one."""
    known = [
        parameter for _, workflow in sorted(catalog.items()) for parameter in workflow.parameters.values()
    ]
    single = {parameter.name: _parameter(parameter) for parameter in known}
    several = {
        parameter.name: {"type": "array", "minItems": 1, "items": _parameter(parameter)}
        for parameter in known
    }
    properties["parameters"]["properties"] = single
    properties["matrix"]["properties"] = several
    properties["list"]["items"]["properties"] = single


def _parameter(parameter: Parameter) -> Json:
    result: Json = {"description": f"{parameter.description} Default: {parameter.default or 'empty'}."}
    if parameter.choices:
        return result | {"anyOf": [{"enum": list(parameter.choices)}, _VALUE]}
    result["type"] = _TYPES[parameter.type]
    bounds = {"minimum": parameter.minimum, "maximum": parameter.maximum}
    return result | {key: value for key, value in bounds.items() if value is not None}


def _tidy(value: Any) -> Any:
    """Without the titles that repeat a field's own name, and with descriptions on one line."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != "title" or not isinstance(item, str)}
        return {key: _tidy(item) for key, item in kept.items()}
    if isinstance(value, str):
        return " ".join(value.split())
    return [_tidy(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.stdout.buffer.write(schema_bytes(load_catalog()))
