"""A file becomes a model, or a list of findings that each name line, column, field and remedy.

When parts of a document are wrong, the rest is still returned (`Parsed.salvaged`), so that references can be
checked in the same run; names of the parts left out are in `Parsed.broken`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from generator.errors import Diagnostic
from generator.spec.document import Scenario
from generator.spec.environment import Environment
from generator.spec.locks import ImageLock
from generator.spec.model import API_VERSION
from generator.spec.reader import Path, Position, Positions, Source, lookup
from generator.suggest import did_you_mean

Model = TypeVar("Model", bound=BaseModel)
KINDS: Mapping[str, tuple[type[BaseModel], str]] = {
    "Scenario": (Scenario, "specs/"),
    "Environment": (Environment, "specs/environments/"),
    "ImageLock": (ImageLock, "images.lock.yaml"),
}

# pydantic's words where ours say more about the remedy; all others keep the message of the type that refused.
_WORDS = {
    "bool_type": "must be `true` or `false`",
    "string_type": "must be text; quote it if it looks like a number, a date or true/false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "dict_type": "must be a mapping (`key: value` lines)",
    "mapping_type": "must be a mapping (`key: value` lines)",
    "model_type": "must be a mapping (`key: value` lines)",
    "model_attributes_type": "must be a mapping (`key: value` lines)",
    "list_type": "must be a list",
    "sequence_str": "must be a list",
    "is_instance_of": "must be a list",
}
_CODES = {
    "missing": "missing-key",
    "union_tag_not_found": "missing-key",
    "extra_forbidden": "unknown-key",
    "literal_error": "unknown-value",
    "union_tag_invalid": "unknown-value",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "too_short": "too-short",
    "string_too_short": "too-short",
    "string_too_long": "too-long",
}
# How deep an entry lies that is left out for a fault inside of it: `executables.x`, but
# `overrides.scenario.executables.x`.
_DEPTH: Mapping[Path, int] = {("overrides",): 4}


@dataclass(frozen=True)
class Parsed(Generic[Model]):
    """Outcome for one file: the model when all is well, what could be saved otherwise."""

    source: Source
    model: Model | None
    salvaged: Model | None
    broken: frozenset[Path]
    diagnostics: tuple[Diagnostic, ...]


def parse(source: Source, model: type[Model]) -> Parsed[Model]:
    """Check a document against its model. Never raises for bad content."""
    if source.data is None:
        return Parsed(source, None, None, frozenset(), source.diagnostics)
    wrong_kind = _kind_problem(source, get_args(model.model_fields["kind"].annotation)[0])
    if wrong_kind:
        return Parsed(source, None, None, frozenset(), (*source.diagnostics, wrong_kind))
    try:
        result = _validate(model, source.data)
    except ValidationError as error:
        details = _causes(error)
        found = [_diagnostic(detail, source, model) for detail in details]
        known = {(item.line, item.column) for item in source.diagnostics}
        fresh = [item for item in found if (item.line, item.column) not in known]
        salvaged, broken = _salvage(model, source.data, details)
        return Parsed(source, None, salvaged, broken, (*source.diagnostics, *fresh))
    return Parsed(source, None if source.diagnostics else result, result, frozenset(), source.diagnostics)


def _validate(model: type[Model], data: object) -> Model:
    return model.model_validate(data, by_alias=True, by_name=False)


def _causes(error: ValidationError) -> list[ErrorDetails]:
    """Faults without their echoes: a list whose only item is faulty is not also too short."""
    details = error.errors(include_url=False, include_input=False)
    places = [item["loc"] for item in details]

    def is_echo(detail: ErrorDetails) -> bool:
        place = detail["loc"]
        return detail["type"] == "too_short" and any(
            other != place and other[: len(place)] == place for other in places
        )

    return [detail for detail in details if not is_echo(detail)]


def _kind_problem(source: Source, expected: str) -> Diagnostic | None:
    """Only a document of the right version and kind is worth checking further."""

    def problem(key: str, code: str, message: str) -> Diagnostic:
        return Diagnostic(source.path, *source.positions.of((key,)), code, message)

    version, kind = source.data.get("apiVersion"), source.data.get("kind")
    if version is None:
        return problem(
            "apiVersion", "missing-key", f"`apiVersion` is missing; begin with `apiVersion: {API_VERSION}`"
        )
    if version != API_VERSION:
        return problem(
            "apiVersion", "wrong-api-version", f"this version of corespec reads `apiVersion: {API_VERSION}`"
        )
    if kind is None:
        return problem("kind", "missing-key", f"`kind` is missing; files here are `kind: {expected}`")
    if kind == expected:
        return None
    if isinstance(kind, str) and kind in KINDS:
        return problem(
            "kind",
            "wrong-kind",
            f"`{kind}` files belong into {KINDS[kind][1]}; here is the place of `{expected}`",
        )
    return problem("kind", "wrong-kind", f"unknown kind; {did_you_mean(str(kind), KINDS)}")


def _diagnostic(detail: ErrorDetails, source: Source, model: type[BaseModel]) -> Diagnostic:
    kind = detail["type"]
    path = document_path(source.data, detail["loc"], missing=kind == "missing")
    if kind == "union_tag_invalid":
        path = (*path, "type")
    code = _CODES.get(
        kind, "wrong-type" if kind in _WORDS or kind.endswith("_type") else kind.replace("_", "-")
    )
    position = _where(kind, path, detail["loc"], source.positions)
    return Diagnostic(
        source.path, *position, code, f"{dotted(path)}: {_message(detail, path, model)}".removeprefix(": ")
    )


def _where(kind: str, path: Path, location: tuple[int | str, ...], positions: Positions) -> Position:
    """Unknown and illegal keys are at the key; a missing key is at the key of the mapping that lacks it."""
    if kind == "extra_forbidden" or location[-1:] == ("[key]",):
        return positions.of_key(path)
    return positions.of_key(path[:-1]) if kind == "missing" else positions.of(path)


def _message(detail: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {did_you_mean(str(path[-1]), _keys_beside(model, detail['loc']))}"
    if kind == "missing":
        return "this key is missing"
    if kind == "union_tag_not_found":
        return f"the key {context['discriminator']} is missing".replace("'", "`")
    if kind in {"literal_error", "union_tag_invalid"}:
        expected = context.get("expected") or context["expected_tags"].replace(", ", " or ")
        return f"must be {expected}".replace("'", "`")
    if kind in {"too_short", "string_too_short"}:
        return "must not be empty"
    return _WORDS.get(kind) or detail["msg"].replace("Input should be", "must be").replace(
        "String should", "must"
    )


def document_path(data: object, location: tuple[int | str, ...], *, missing: bool = False) -> Path:
    """pydantic's location without what is not in the document: union tags and the `[key]` mark.

    `missing`: the last step is a key that is not there, and still belongs to the path.
    """
    path: Path = ()
    for index, step in enumerate(location):
        absent = missing and index == len(location) - 1
        if absent or _holds(lookup(data, path), step):
            path = (*path, step)
    return path


def _holds(parent: object, step: int | str) -> bool:
    return step in parent if isinstance(parent, dict) else isinstance(parent, list) and isinstance(step, int)


def dotted(path: Path) -> str:
    """A path as people write it: `configurations.sweep.matrix.batch_size[1]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The legal keys of the mapping in which an unknown key was found."""
    annotation: Any = model
    for step in location[:-1]:
        annotation = _inside(annotation, step)
    return sorted(
        {field.alias or name for part in _models(annotation) for name, field in part.model_fields.items()}
    )


def _inside(annotation: Any, step: int | str) -> Any:
    """The annotation one step deeper: into a field, a map's value, or a union's member."""
    for part in _alternatives(annotation):
        if get_origin(part) in {Mapping, dict, tuple}:
            arguments = get_args(part)
            return arguments[1] if get_origin(part) is not tuple else arguments[0]
    models = list(_models(annotation))
    for part in models:
        for name, field in part.model_fields.items():
            if step in {field.alias, name}:
                return field.annotation
    tagged = [
        part
        for part in models
        if step in get_args(getattr(part.model_fields.get("type"), "annotation", None))
    ]
    return tagged[0] if tagged else annotation


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for part in _alternatives(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def _salvage(
    model: type[Model], data: Any, details: list[ErrorDetails]
) -> tuple[Model | None, frozenset[Path]]:
    """Leave out what is wrong and try once more.

    Unknown keys are dropped; any other fault leaves out the entry (see `_DEPTH`) that holds it. A fault
    outside of the entries (in `metadata`) leaves nothing to save.
    """
    rest = copy.deepcopy(data)
    broken: set[Path] = set()
    for detail in details:
        path = document_path(data, detail["loc"], missing=detail["type"] == "missing")
        if detail["type"] == "extra_forbidden":
            lookup(rest, path[:-1]).pop(path[-1], None) if lookup(rest, path[:-1]) else None
        else:
            entry = path[: _DEPTH.get(path[:1], 2)] if isinstance(lookup(data, path[:1]), dict) else path[:1]
            broken.add(entry)
            parent = lookup(rest, entry[:-1])
            if isinstance(parent, dict):
                parent.pop(entry[-1], None)
    try:
        return _validate(model, rest), frozenset(broken)
    except ValidationError:
        return None, frozenset(broken)
