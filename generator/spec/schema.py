"""`specs/schema.json`: the spec language as JSON Schema, so that editors complete and explain while one
types.

The schema is a help and not the judge: `corespec validate` checks more, and a parameter of a custom catalogue
stays legal here. `python -m generator.spec.schema` prints it.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from generator.catalog import Parameter, Workflow, load_catalog
from generator.spec.document import Scenario
from generator.spec.environment import Environment
from generator.spec.locks import ImageLock
from generator.spec.model import API_VERSION, SpecModel

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
    for model in (Scenario, Environment, ImageLock):
        own = model.model_json_schema(ref_template="#/definitions/{model}", by_alias=True)
        definitions |= own.pop("$defs", {})
        definitions[model.__name__] = own
    for known in _models(SpecModel):
        _describe(known, definitions.get(known.__name__, {}).get("properties", {}))
    _name_parameters(definitions, catalog)
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


def _models(base: type[SpecModel]) -> Iterator[type[SpecModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _describe(model: type[SpecModel], properties: Json) -> None:
    """Put the text below each field of a model into its schema."""
    texts = _texts(model) if properties else {}
    for name, field in model.model_fields.items():
        described = properties.get(field.alias or name)
        if described is not None and name in texts:
            properties[field.alias or name] = dict(sorted({**described, "description": texts[name]}.items()))


def _texts(model: type[SpecModel]) -> dict[str, str]:
    """Field -> the text that stands below it in the source."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    lines = body.body if isinstance(body, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(lines)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _name_parameters(definitions: Json, catalog: Mapping[str, Workflow]) -> None:
    """Offer the parameters of all workflows wherever a spec names one."""
    known: dict[str, dict[str, Parameter]] = {}
    for name, workflow in sorted(catalog.items()):
        for parameter in workflow.parameters.values():
            known.setdefault(parameter.name, {})[name] = parameter
    single = {name: _parameter(variants) for name, variants in known.items()}
    several = {name: {"type": "array", "minItems": 1, "items": item} for name, item in single.items()}
    for model in ("Configuration", "ConfigurationOverrides", "Deployment"):
        definitions[model]["properties"]["parameters"]["properties"] = single
    own = definitions["Configuration"]["properties"]
    own["matrix"]["properties"] = several
    own["list"]["items"]["properties"] = single


def _parameter(variants: Mapping[str, Parameter]) -> Json:
    """One parameter as all workflows together take it; `corespec validate` knows which workflow is meant."""
    every = list(variants.values())
    result: Json = {"description": f"{_meaning(variants)} Default: {_default(variants)}."}
    if all(item.choices for item in every):
        choices = list(dict.fromkeys(choice for item in every for choice in item.choices))
        return result | {"anyOf": [{"enum": choices}, _VALUE]}
    result["type"] = sorted({kind for item in every for kind in _TYPES[item.type]})
    lowest, highest = [item.minimum for item in every], [item.maximum for item in every]
    if None not in lowest:
        result["minimum"] = min(number for number in lowest if number is not None)
    if None not in highest:
        result["maximum"] = max(number for number in highest if number is not None)
    return result


def _meaning(variants: Mapping[str, Parameter]) -> str:
    return " ".join(dict.fromkeys(item.description for item in variants.values()))


def _default(variants: Mapping[str, Parameter]) -> str:
    """The default, with its workflows where they differ."""
    by_value: dict[str, list[str]] = {}
    for workflow, item in variants.items():
        by_value.setdefault(item.default or "empty", []).append(workflow)
    if len(by_value) == 1:
        return next(iter(by_value))
    return "; ".join(f"{value} ({', '.join(workflows)})" for value, workflows in by_value.items())


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
