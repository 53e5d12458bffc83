"""What a parameter is, and how its text becomes a value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

ParameterType = Literal["integer", "number", "boolean", "string", "json", "split"]
Origin = Literal["sap-cv 1.1.7", "corespec"]
Switch = Literal["auto", "true", "false"]
Split = Fraction | str | None
"""A share of the pictures in (0, 1], the name of a list file or folder, or None where the split is off."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of a table; ``default`` is the string AI Core would pass.

    ``aliases`` maps further legal values to the one they stand for; ``items`` says what a ``json`` list
    holds; ``read`` replaces the type's own reading of the text and raises ``ValueError``.
    """

    name: str
    type: ParameterType
    default: str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    origin: Origin = "sap-cv 1.1.7"
    items: Literal["any", "string"] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[str], Any] | None = None

    def value(self, text: str) -> Any:
        """The typed value of ``text``; raises ``ValueError`` that says what was expected."""
        value = (self.read or _READERS[self.type])(text)
        if self.minimum is not None and value < self.minimum:
            raise ValueError(f"must be at least {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            raise ValueError(f"must be at most {self.maximum:g}")
        if self.choices is None:
            return value
        chosen = _choice(self.choices, value)
        return self.aliases.get(chosen, chosen)

    def as_row(self) -> dict[str, Any]:
        """JSON-ready, as `workflow.yaml` of the catalogue writes it; keys without a value are None."""
        return {
            "name": self.name,
            "type": self.type,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "choices": list(self.choices) if self.choices else None,
            "items": self.items,
            "description": self.description,
            "origin": self.origin,
        }


def integer(text: str) -> int:
    """A whole number; 12.0 is one, because AI Core front ends write it so."""
    try:
        return int(text)
    except ValueError:
        value = number(text)
        if value.is_integer():
            return int(value)
        raise ValueError("expected a whole number") from None


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError("expected a number") from None
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


def boolean(text: str) -> bool:
    """True or false, as YAML, JSON, Python and shells write them."""
    match text.strip().lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
    raise ValueError("expected true or false")


def names(text: str) -> tuple[str, ...]:
    """A JSON list of distinct, non-empty strings; an empty text is an empty list."""
    value = _list(text, "strings")
    if not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError('expected a JSON list of non-empty strings, for example ["0", "1"]')
    if len(set(value)) != len(value):
        raise ValueError("a name stands in the list twice")
    return tuple(value)


def whole_numbers(text: str) -> tuple[int, ...]:
    """A JSON list of whole numbers from 1 to 65,536; an empty text is an empty list."""
    value = _list(text, "whole numbers")
    if not all(type(item) is int and 1 <= item <= 65_536 for item in value):
        raise ValueError("expected a JSON list of whole numbers from 1 to 65536, for example [256, 128]")
    return tuple(value)


def suffixes(text: str) -> tuple[str, ...]:
    """File suffixes, lower case with the dot."""
    value = names(text)
    if not value:
        raise ValueError("name at least one suffix")
    return tuple(f".{suffix.lower().lstrip('.')}" for suffix in value)


def pattern(text: str) -> str:
    """A regular expression, or nothing."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression ({error})") from None
    return text


def side(text: str) -> int:
    """Pixels of a network input: 0 chooses, else at least 32."""
    value = integer(text)
    if 0 < value < 32:
        raise ValueError("must be 0 or at least 32")
    return value


def split(text: str) -> Split:
    """A share, the name of a list file or folder, or None for an empty text and for 0."""
    text = text.strip()
    if not text:
        return None
    try:
        share = float(text)
    except ValueError:
        return text
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1")
    return Fraction(str(share)) or None  # the decimal as written: 0.7 + 0.2 + 0.1 is exactly 1


_READERS: Mapping[ParameterType, Callable[[str], Any]] = {
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "string": str.strip,
    "json": names,
    "split": split,
}


def _list(text: str, what: str) -> list[Any]:
    try:
        value = json.loads(text.strip() or "[]")
    except (json.JSONDecodeError, RecursionError) as error:
        place = f" ({error.msg} at character {error.pos + 1})" if isinstance(error, ValueError) else ""
        raise ValueError(f"expected a JSON list of {what}{place}") from None
    if not isinstance(value, list):
        raise ValueError(f"expected a JSON list of {what}")
    return value


def _choice(choices: tuple[str, ...], value: str) -> str:
    """The choice as the table spells it: YAML turns ``true`` into a boolean and tools print it ``True``."""
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise ValueError(f"must be one of {', '.join(choices)}")
