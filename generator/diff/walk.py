"""Two documents, step by step: which parts differ, and where.

Items of lists are told apart by their `name` where all have one (parameters, artifacts, env, templates,
containers, volumes), by their place otherwise; so an item that is put in between shows as one addition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from generator.diff.model import Kind

_Key = TypeVar("_Key", str, int)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Named:
    """A step into the item of a list that has this name."""

    name: str


Step = str | int | Named
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A part that differs; `before` or `after` is None where the part is absent (`kind` says so)."""

    path: Path
    kind: Kind
    before: Any
    after: Any


def walk(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """Differences of two values of plain data, in the order in which a reader meets them."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _mapping(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list(before, after, path)
    elif not same(before, after):
        yield Difference(path, Kind.CHANGED, before, after)


def same(before: Any, after: Any) -> bool:
    """Equality of JSON values: unlike Python's, it tells 1, 1.0 and true apart."""
    return before == after and json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def address(path: Path) -> str:
    """The path as text: `spec.templates.train.container.image`, `metadata.labels["a.b/c"]`, `steps[0]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        word = step.name if isinstance(step, Named) else step
        text += f".{word}" if _BARE.fullmatch(word) else f"[{json.dumps(word, ensure_ascii=False)}]"
    return text.removeprefix(".")


def _mapping(before: dict[str, Any], after: dict[str, Any], path: Path) -> Iterator[Difference]:
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _either(before, after, key, (*path, key))


def _list(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    old, new = _by_name(before), _by_name(after)
    if old is not None and new is not None and (old or new):
        yield from _named(old, new, path)
    elif len(before) == len(after):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from walk(left, right, (*path, index))
    elif any(isinstance(item, dict | list) for item in (*before, *after)):
        places = range(max(len(before), len(after)))
        left, right = dict(enumerate(before)), dict(enumerate(after))
        for index in places:
            yield from _either(left, right, index, (*path, index))
    else:
        yield Difference(path, Kind.CHANGED, before, after)


def _named(before: dict[str, Any], after: dict[str, Any], path: Path) -> Iterator[Difference]:
    for name in [*before, *(name for name in after if name not in before)]:
        yield from _either(before, after, name, (*path, Named(name)))
    old = [name for name in before if name in after]
    new = [name for name in after if name in before]
    if old != new:
        yield Difference(path, Kind.MOVED, old, new)


def _either(
    before: Mapping[_Key, Any], after: Mapping[_Key, Any], key: _Key, path: Path
) -> Iterator[Difference]:
    if key not in after:
        yield Difference(path, Kind.REMOVED, before[key], None)
    elif key not in before:
        yield Difference(path, Kind.ADDED, None, after[key])
    else:
        yield from walk(before[key], after[key], path)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """The items by name; None unless each is a mapping with a name of its own."""
    found: dict[str, Any] = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = item
    return found
