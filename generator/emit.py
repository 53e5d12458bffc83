"""Plain data as YAML that people like to read, and that every YAML version reads alike.

Block style, two spaces, keys in the order given. Text stands bare only when no reader could take it for
anything else; text in whole lines is a literal block; all other text is quoted. Written here rather than by
a library, because the bytes of `rendered/` must not change with a library's version.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

# Begins with a letter or slash, so it is no number and no indicator; blanks and colons only where more text
# follows.
_BARE = re.compile(r"""[A-Za-z/](?:[ :](?=[^ :#])|[A-Za-z0-9_./@+=,;()'"-])*""")
# Words that YAML 1.1 or 1.2 reads as something else than text, in any case.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SHORT_LIST = 20


def emit(value: Any) -> str:
    """Dicts, lists and scalars as one YAML document that ends in a line feed."""
    lines: list[str] = []
    _block(value, "", lines)
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """Text in double quotes: JSON, and also YAML, whatever it holds."""
    literal = json.dumps(text, ensure_ascii=False)
    return literal if literal.isprintable() else "".join(map(_escape, literal))


def scalar(value: object) -> str:
    """A scalar on one line. Raises ValueError for a number that JSON does not have."""
    if isinstance(value, str):
        return _text(value)
    literal = json.dumps(value, allow_nan=False)
    # YAML 1.1 takes `1e-05` for text: a number with an exponent needs a point.
    return literal.replace("e", ".0e") if isinstance(value, float) and "." not in literal else literal


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """Text, bare or quoted; templates repeat the same words thousands of times."""
    if _BARE.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    readable = value.isprintable() and not {'"', "\\"}.isdisjoint(value)
    return "'" + value.replace("'", "''") + "'" if readable else quote(value)


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _block(value: Any, indent: str, lines: list[str]) -> None:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            head = f"{indent}{_text(str(key))}:"
            if isinstance(item, str):  # nine of ten values: the shortest way
                if "\n" not in item or not _is_literal(item):
                    lines.append(f"{head} {_text(item)}")
                    continue
                lines.append(f"{head} |")
                lines += [f"{indent}  {line}".rstrip() for line in item[:-1].split("\n")]
            elif _is_short(item):
                lines.append(f"{head} {_flow(item)}")
            else:
                lines.append(head)
                _block(item, indent + "  ", lines)
    elif isinstance(value, list) and value:
        for item in value:
            _item(item, indent, lines)
    else:
        lines.append(indent + _flow(value))


def _item(value: Any, indent: str, lines: list[str]) -> None:
    """A list item; a nested block begins on the line of its dash."""
    if _is_short(value):
        lines.append(f"{indent}- {_flow(value)}")
        return
    first = len(lines)
    _block(value, indent + "  ", lines)
    lines[first] = f"{indent}- {lines[first].lstrip(' ')}"


def _is_short(value: Any) -> bool:
    """Scalars, empty collections and lists of a few words fit on one line."""
    if isinstance(value, dict):
        return not value
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value) and sum(map(len, value)) < _SHORT_LIST
    return True


def _is_literal(text: str) -> bool:
    """Text in whole lines that a block shows as it is: nothing is stripped, nothing taken as indent."""
    lines = text.split("\n")
    return (
        lines[-1] == ""
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and bool(lines[0])
        and bool(lines[-2])
        and not lines[0].startswith(" ")
    )


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(quote, value)) + "]"
    return scalar(value)
