"""YAML or JSON of a template as plain data, or nothing where it is neither: no diff fails on a bad file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 60
_NOT_JSON = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class _Loader(_BASE):  # type: ignore[misc]
    """The safe loader without the scalars that JSON does not have: dates stay the text that they are."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_JSON]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}


def parse_documents(content: bytes) -> list[Any] | None:
    """The documents of a file; None for what is no YAML, is not UTF-8, is huge, or uses aliases.

    Aliases are refused because a few lines of them can stand for gigabytes.
    """
    if len(content) > _MAX_BYTES:
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return parse_text(text)


def parse_text(text: str) -> list[Any] | None:
    """Like `parse_documents`, for text such as the multi-line strings of a ServingTemplate."""
    try:
        if not _is_tree(yaml.parse(text, Loader=_BASE)):
            return None
        return [_plain(document) for document in yaml.load_all(text, Loader=_Loader)]
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _is_tree(events: Iterable[yaml.Event]) -> bool:
    """Whether there is no alias, and no nesting that no template has."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
            return False
        if isinstance(event, yaml.CollectionStartEvent | yaml.CollectionEndEvent):
            depth += 1 if isinstance(event, yaml.CollectionStartEvent) else -1
    return True


def _plain(value: Any) -> Any:
    """Only what JSON knows: other keys and values become their text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
