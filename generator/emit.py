"""Plain data as YAML that people like to read, and that every YAML version reads alike.

Block style, two spaces, keys in the order given. Text stands bare only when no reader could take it for
anything else; all other text is double-quoted. Written here rather than by a library, because the bytes of
`rendered/` must not change with a library's version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Begins with a letter or slash, so it is no number and no indicator; blanks and colons only where more text
# follows.
_BARE = re.compile(r"""[A-Za-z/](?:[ :](?=[^ :#])|[A-Za-z0-9_./@+=,;()'"-])*""")
# Words that YAML 1.1 or 1.2 reads as something else than text, in any case.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SHORT_LIST = 20


def emit(value: Any) -> str:
    """A mapping or list as one YAML document that ends in a line feed."""
    return "\n".join(_block(value, "")) + "\n"


def quote(text: str) -> str:
    """Text in double quotes: JSON, and also YAML, whatever it holds."""
    literal = json.dumps(text, ensure_ascii=False)
    return literal if literal.isprintable() else "".join(map(_escape, literal))


def scalar(value: object) -> str:
    """A scalar on one line."""
    if isinstance(value, str):
        if _BARE.fullmatch(value) and value.casefold() not in _WORDS:
            return value
        readable = value.isprintable() and not {'"', "\\"}.isdisjoint(value)
        return "'" + value.replace("'", "''") + "'" if readable else quote(value)
    return json.dumps(value, allow_nan=False)


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _block(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{scalar(str(key))}:", item, indent)
    elif _is_list(value) and value:
        for item in value:
            yield from _item(item, indent)
    else:
        yield indent + _flow(value)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if _is_short(value):
        yield f"{head} {_flow(value)}"
    else:
        yield head
        yield from _block(value, indent + "  ")


def _item(value: Any, indent: str) -> Iterator[str]:
    """A list item; a nested block begins on the line of its dash."""
    if _is_short(value):
        yield f"{indent}- {_flow(value)}"
        return
    lines = _block(value, indent + "  ")
    yield f"{indent}- {next(lines).lstrip(' ')}"
    yield from lines


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_short(value: Any) -> bool:
    """Scalars, empty collections and lists of a few words fit on one line."""
    if isinstance(value, Mapping):
        return not value
    if _is_list(value):
        return all(isinstance(item, str) for item in value) and sum(map(len, value)) < _SHORT_LIST
    return True


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if _is_list(value):
        return "[" + ", ".join(map(quote, value)) + "]"
    return scalar(value)
