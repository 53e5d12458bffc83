"""Parameters of workflows: their declaration, and the one canonical string of a value.

AI Core carries strings only. Whatever a spec spells (`1e-3`, `0.0010`, `yes`), equal values become equal
strings, so that a change of spelling never costs a training.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StrictFloat, StrictInt

from generator.spec.model import SpecModel
from generator.spec.scalars import SourceFloat, SourceInt, spelled
from generator.spec.types import MAX_PARAMETER_LENGTH, ParameterName, Text
from generator.suggest import did_you_mean

ParameterType = Literal["integer", "number", "boolean", "string", "json", "split"]
Spelled = Annotated[str, BeforeValidator(spelled)]

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_LARGEST_EXACT = 2**53


class Parameter(SpecModel):
    """One parameter of a workflow. Its value travels as a string; `type` says what the string must hold."""

    name: ParameterName
    """Name in specs and in AI Core; the trainer reads it from `TRAINER_<NAME>`."""
    type: ParameterType
    """`split` is a ratio, the name of a text file or of a folder, or empty; `json` is a list as JSON text."""
    default: Spelled
    """Value when the spec gives none."""
    minimum: StrictInt | StrictFloat | None = None
    """Smallest legal number."""
    maximum: StrictInt | StrictFloat | None = None
    """Largest legal number."""
    choices: tuple[Spelled, ...] = ()
    """The only legal values."""
    items: Literal["any", "string"] = "any"
    """Type `json`: `string` makes text of every item."""
    description: Text
    """What it does, for people."""
    origin: Literal["sap-cv 1.1.7", "corespec"]
    """Where the name comes from."""

    @cached_property
    def canonical_default(self) -> str:
        """The default as its canonical string, worked out once. Raises UnfitValueError."""
        return canonical(self, self.default)


class UnfitValueError(ValueError):
    """A value that a parameter cannot take, with the code of its diagnostic."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def canonical(parameter: Parameter, value: object) -> str:
    """The one string for a value of a parameter.

    Raises UnfitValueError when type, range, choices or AI Core's limit of 5,000 characters are violated.
    """
    text = _BY_TYPE[parameter.type](parameter, value)
    if parameter.choices and text not in parameter.choices:
        raise UnfitValueError(
            "unknown-value", f"must be one of its choices; {did_you_mean(text, parameter.choices)}"
        )
    if len(text) > MAX_PARAMETER_LENGTH:
        raise UnfitValueError(
            "too-long", f"is longer than the {MAX_PARAMETER_LENGTH} characters that AI Core takes"
        )
    if "{{" in text:
        raise UnfitValueError("template-expression", "must not hold `{{`: Argo would replace what follows")
    return text


def _boolean(_: Parameter, value: object) -> str:
    if isinstance(value, bool):
        return str(value)
    word = value.casefold() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise UnfitValueError("wrong-type", "must be `true` or `false`")
    return str(word in _TRUE)


def _integer(parameter: Parameter, value: object) -> str:
    number = _number_of(value)
    if number is None or number != int(number) or abs(number) > _LARGEST_EXACT:
        raise UnfitValueError("wrong-type", "must be a whole number" + _hint(value))
    return str(int(_in_range(parameter, number)))


def _decimal(parameter: Parameter, value: object) -> str:
    number = _number_of(value)
    if number is None:
        raise UnfitValueError("wrong-type", "must be a number" + _hint(value))
    return _spell(_in_range(parameter, number))


def _string(parameter: Parameter, value: object) -> str:
    if isinstance(value, bool) and parameter.choices:
        return str(value).lower()
    text = spelled(value)
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise UnfitValueError("wrong-type", "must be text; quote it")
    return text if isinstance(text, str) else _spell(text)


def _json(parameter: Parameter, value: object) -> str:
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list | tuple):
        raise UnfitValueError("wrong-type", 'must be a list, such as `["0", "1"]`')
    return json.dumps(_plain(value, parameter.items), ensure_ascii=False, separators=(",", ":"))


def _split(_: Parameter, value: object) -> str:
    number = _number_of(value)
    if number is not None:
        if not 0 < number <= 1:
            message = "as a ratio it must be above 0 and at most 1; an empty text leaves the split out"
            raise UnfitValueError("out-of-range", message)
        return _spell(number)
    if not isinstance(value, str) or value.startswith("/") or ".." in value.split("/"):
        raise UnfitValueError(
            "wrong-type", "must be a ratio, or the name of a text file or folder inside the dataset"
        )
    return value


_BY_TYPE: Mapping[ParameterType, Callable[[Parameter, object], str]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _decimal,
    "string": _string,
    "json": _json,
    "split": _split,
}


def ratio(text: str) -> float | None:
    """The number in a canonical `split` value, None when it names a file or folder."""
    return float(text) if _DECIMAL.fullmatch(text) else None


def _number_of(value: object) -> int | float | None:
    """The finite number in a value; text counts when it is a plain decimal."""
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else float(value) if _DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _in_range(parameter: Parameter, number: int | float) -> int | float:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = [
            f"at least {_spell(low)}" if low is not None else "",
            f"at most {_spell(high)}" if high is not None else "",
        ]
        raise UnfitValueError("out-of-range", f"must be {' and '.join(filter(None, bounds))}")
    return number


def _spell(number: int | float) -> str:
    """Shortest spelling: whole numbers without a point, others as Python's shortest round trip."""
    if number == int(number) and abs(number) <= _LARGEST_EXACT:
        return str(int(number))
    return repr(float(number))


def _plain(value: object, items: str) -> Any:
    """JSON data without the spellings that the reader keeps beside numbers."""
    if isinstance(value, list | tuple):
        return [_plain(item, items) for item in value]
    if items == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(spelled(value))
    if isinstance(value, SourceInt):
        return int(value)
    return float(value) if isinstance(value, SourceFloat) else value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _hint(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?0[0-9]+", value):
        return "; with leading zeros YAML 1.1 would read it as octal, write it without them"
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])*", value):
        return "; write plain decimal digits"
    return ""
