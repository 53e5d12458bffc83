"""WorkflowTemplates and ServingTemplates: which parts differ, and which of them make runs start anew.

What makes a run start anew is decided in one place, `generator.fingerprint.template_fingerprint`. So each
difference is tried: a document that holds nothing but that part is fingerprinted as it was and as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generator.diff.model import Category, Change, Kind
from generator.diff.parse import parse_text
from generator.diff.walk import Difference, Named, Path, Step, address, walk
from generator.fingerprint import template_fingerprint

_ABSENT = object()
_SERVING = "ServingTemplate"
# Strings of a ServingTemplate that hold YAML, into which AI Core fills `{{inputs.…}}`.
_EMBEDDED: tuple[Path, ...] = (
    ("spec", "template", "spec"),
    ("spec", "template", "metadata", "annotations"),
    ("spec", "template", "metadata", "labels"),
)


def diff_documents(before: list[Any], after: list[Any]) -> tuple[Change, ...]:
    """Changes between the documents of one file; several documents are told apart by their place."""
    if len(before) == len(after) == 1:
        return tuple(_diff(before[0], after[0], ()))
    changes: list[Change] = []
    for index in range(max(len(before), len(after))):
        if index < len(before) and index < len(after):
            changes += _diff(before[index], after[index], (index,))
        elif index < len(before):
            changes.append(Change(f"[{index}]", Kind.REMOVED, before[index], None, Category.METADATA))
        else:
            changes.append(Change(f"[{index}]", Kind.ADDED, None, after[index], Category.RETRAIN))
    return tuple(changes)


def _diff(before: Any, after: Any, place: Path) -> Iterator[Change]:
    old, new = _unfolded(before, after)
    kind = after.get("kind") if isinstance(after, dict) else None
    for found in walk(old, new):
        where = address((*place, *found.path)) or "."
        yield Change(where, found.kind, found.before, found.after, _category(kind, found))


def _unfolded(before: Any, after: Any) -> tuple[Any, Any]:
    """Both documents with the strings that hold YAML parsed, where both sides can be; never in place."""
    if not all(isinstance(item, dict) and item.get("kind") == _SERVING for item in (before, after)):
        return before, after
    for path in _EMBEDDED:
        old, new = _embedded(before, path), _embedded(after, path)
        if old is not None and new is not None:
            before, after = _replaced(before, path, old), _replaced(after, path, new)
    return before, after


def _embedded(document: Any, path: Path) -> dict[str, Any] | None:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    found = parse_text(document) if isinstance(document, str) else None
    return found[0] if found and len(found) == 1 and isinstance(found[0], dict) else None


def _replaced(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    first, *rest = path
    inner = _replaced(document[str(first)], tuple(rest), value) if rest else value
    return {**document, str(first): inner}


def _category(kind: object, found: Difference) -> Category:
    """RETRAIN when the fingerprint depends on this part."""
    if found.path == ("spec",) or not found.path or isinstance(found.path[0], int):
        return Category.RETRAIN
    sides = (_side(found, found.before, Kind.ADDED), _side(found, found.after, Kind.REMOVED))
    before, after = (_fingerprint(_alone(kind, found.path, side)) for side in sides)
    return Category.METADATA if before == after else Category.RETRAIN


def _side(found: Difference, value: Any, absent: Kind) -> Any:
    if found.kind is Kind.MOVED:
        return [{"name": name} for name in value]
    return _ABSENT if found.kind is absent else value


def _alone(kind: object, path: Path, value: Any) -> dict[str, Any]:
    """A document of that kind in which there is only `value`, at `path`."""
    embedded = next((end for end in _EMBEDDED if kind == _SERVING and path[: len(end)] == end), None)
    if embedded and len(path) > len(embedded):
        text = json.dumps(_nested(path[len(embedded) :], value))
        return {"kind": kind, **_nested(embedded, text)}
    return {"kind": kind, **_nested(path, value)}


def _nested(path: Path, value: Any) -> Any:
    for step in reversed(path):
        value = _wrapped(step, value)
    return value


def _wrapped(step: Step, value: Any) -> Any:
    if isinstance(step, str):
        return {} if value is _ABSENT else {step: value}
    if value is _ABSENT:
        return []
    return [{"name": step.name, **value}] if isinstance(step, Named) else [value]


def _fingerprint(document: Mapping[str, Any]) -> str:
    """The fingerprint; for a document that it cannot take, the document itself."""
    try:
        return template_fingerprint(document)
    except (AttributeError, TypeError, ValueError):
        return json.dumps(document, sort_keys=True)
