"""Ways to spoil a document, written short: `put("spec/entrypoint", "mian")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Spoil = Callable[[Json], None]


def place(document: Any, path: str) -> Any:
    """What stands at a path such as `spec/templates/1/container`; keys with slashes are written `a~b`."""
    for step in path.split("/") if path else ():
        document = document[int(step)] if isinstance(document, list) else document[step.replace("~", "/")]
    return document


def put(path: str, value: Any) -> Spoil:
    """Set one value."""
    parent, _, key = path.rpartition("/")
    return lambda document: place(document, parent).update({key.replace("~", "/"): value})


def drop(path: str) -> Spoil:
    """Take one value away."""
    parent, _, key = path.rpartition("/")

    def spoil(document: Json) -> None:
        holder = place(document, parent)
        del holder[int(key) if isinstance(holder, list) else key.replace("~", "/")]

    return spoil


def add(path: str, *items: Any) -> Spoil:
    """Append to a list."""
    return lambda document: place(document, path).extend(items)


def all_of(*spoils: Spoil) -> Spoil:
    """One after the other."""

    def spoil(document: Json) -> None:
        for single in spoils:
            single(document)

    return spoil
