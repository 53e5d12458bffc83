"""Adding entries to a file that a person wrote, as text: no comment moves, no line is respelled. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from generator.emit import emit
from generator.spec.reader import Source, read


def add_entries(text: str, additions: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The file with `additions` (section -> name -> entry) in it, each the first of its section.

    None where that cannot be done by inserting lines: a section written in braces, or a file whose end is not
    the end of its document. The result is read again, and must hold what was there and what was added.
    """
    wanted = copy.deepcopy(_data(text))
    if wanted is None:
        return None
    for section, entries in additions.items():
        if not entries:
            continue
        result = _insert(text, section, entries) if wanted.get(section) else _append(text, section, entries)
        if result is None:
            return None
        text = result
        wanted[section] = {**entries, **(wanted.get(section) or {})}
    return text if _data(text) == wanted else None


def add_line(text: str, key: str, value: Any) -> str | None:
    """The file with a new top-level key at its end; None where it has one, or has no such place."""
    wanted = _data(text)
    if wanted is None or key in wanted:
        return None
    result = _append(text, key, value)
    return result if _data(result) == {**wanted, key: value} else None


def _data(text: str) -> dict[str, Any] | None:
    source = _read(text)
    return source.data if source.data is not None and not source.diagnostics else None


def _read(text: str) -> Source:
    return read("", text.encode("utf-8", "surrogatepass"))


def _insert(text: str, section: str, entries: Mapping[str, Any]) -> str | None:
    """Put the entries behind the line of the section's key, before the comment of its first entry."""
    source = _read(text)
    first = next(iter(source.data[section]))
    start = source.positions.keys[(section, first)]
    lines = text.splitlines(keepends=True)
    key_line = source.positions.keys[(section,)][0]
    in_braces = source.positions.values[(section,)] != start
    if in_braces or start[0] <= key_line or lines[start[0] - 1][: start[1] - 1].strip():
        return None
    indent, end = " " * (start[1] - 1), _line_end(text)
    block = [f"{indent}{line}{end}" for line in emit(dict(entries)).splitlines()]
    return "".join([*lines[:key_line], *block, *lines[key_line:]])


def _append(text: str, key: str, value: Any) -> str:
    end = _line_end(text)
    gap = "" if text.endswith(("\n", "\r\n")) else end
    block = emit({key: dict(value) if isinstance(value, Mapping) else value})
    return text + gap + (end if isinstance(value, Mapping) else "") + block.replace("\n", end)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
