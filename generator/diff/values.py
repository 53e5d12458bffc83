"""Values of a difference on one line: short, printable, and no longer than a reader wants them."""

from __future__ import annotations

import json
import re
from typing import Any

from generator.diff.model import Category, Change, Kind

SIGNS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.MOVED: "~"}
_BARE = re.compile(r"[A-Za-z/0-9][\w./:@+,; <>=!~%*-]*")
_WORDS = frozenset({"true", "false", "null", "none"})
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_CUT = "…"


def value_text(value: Any) -> str:
    """A JSON value on one line; text stands bare where it can be taken for nothing else."""
    if isinstance(value, str) and _is_bare(value):
        return value
    return printable(json.dumps(value, ensure_ascii=False))


def _is_bare(text: str) -> bool:
    return (
        _BARE.fullmatch(text) is not None
        and not text.endswith(" ")
        and text.casefold() not in _WORDS
        and not _NUMBER.fullmatch(text)
    )


def printable(text: str) -> str:
    """Control characters, line breaks and marks that turn the direction of writing, made visible."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    number = ord(sign)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def sides(change: Change, limit: int) -> tuple[str | None, str | None]:
    """Both values as text of at most `limit` characters; None for the side that is absent.

    Two long values are cut to where they differ.
    """
    text = _verbatim if change.category is Category.IMAGE else value_text
    before = None if change.kind is Kind.ADDED else text(change.before)
    after = None if change.kind is Kind.REMOVED else text(change.after)
    if before is None or after is None or max(len(before), len(after)) <= limit:
        return before and _shortened(before, limit), after and _shortened(after, limit)
    start = max(0, _common(before, after) - limit // 4)
    return _window(before, start, limit), _window(after, start, limit)


def change_text(change: Change, limit: int = 160) -> str:
    """`address: before -> after`, without sign and category."""
    before, after = sides(change, limit)
    where = printable(change.address)
    if change.kind is Kind.MOVED:
        return f"{where}: order {before} -> {after}"
    if before is None or after is None:
        return f"{where}: {before or after}"
    return f"{where}: {before} -> {after}"


def _verbatim(value: Any) -> str:
    """Versions, images and instructions are text, and nobody takes them for anything else."""
    return printable(str(value))


def _common(before: str, after: str) -> int:
    pairs = enumerate(zip(before, after, strict=False))
    return next((index for index, (old, new) in pairs if old != new), min(len(before), len(after)))


def _window(text: str, start: int, limit: int) -> str:
    lead = _CUT if start else ""
    return lead + _shortened(text[start:], limit - len(lead))


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _CUT
