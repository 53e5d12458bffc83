"""A workflow's parameters as one table: read from the environment, parsed with every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Generic, TypeVar

from trainer.errors import ParameterError
from trainer.parameters.scheme import Parameter

ENVIRONMENT_PREFIX = "TRAINER_"

Values = TypeVar("Values")
Rule = Callable[[Mapping[str, Any]], list[str]]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the dataclasses of parsed parameters have in common."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values, for ``model.json``."""
        return {field.name: _jsonable(getattr(self, field.name)) for field in fields(self)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, tuple):
        return list(value)
    return "" if value is None else value


@dataclass(frozen=True, slots=True)
class ParameterTable(Generic[Values]):
    """The rows, the class they are parsed into, and the rules over several of them.

    ``build`` is a dataclass whose fields are the rows, in the same order. ``rule`` gets the values that are
    sound on their own (the others are absent) and returns problems.
    """

    workflow: str
    rows: tuple[Parameter, ...]
    build: Callable[..., Values]
    rule: Rule = lambda _: []

    def parse(self, values: Mapping[str, str]) -> Values:
        """Type every value; names that are left out take their default.

        Raises ``ParameterError`` with every problem at once: unknown names, wrong types, values out of
        range, values that do not go together.
        """
        known = {row.name: row for row in self.rows}
        problems = [_unknown(name, known) for name in values if name not in known]
        parsed: dict[str, Any] = {}
        for row in self.rows:
            text = values.get(row.name, row.default)
            try:
                parsed[row.name] = row.value(text)
            except ValueError as error:
                problems.append(f"parameter {row.name}: {error}, got {text!r}")
        problems += self.rule(parsed)
        if problems:
            raise ParameterError(problems)
        return self.build(**parsed)

    def from_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The values passed as ``TRAINER_<NAME>`` variables; every other variable is ignored."""
        variables = {f"{ENVIRONMENT_PREFIX}{row.name.upper()}": row.name for row in self.rows}
        return {variables[key]: value for key, value in environment.items() if key in variables}

    def catalogue(self) -> list[dict[str, Any]]:
        """The table as JSON-ready rows."""
        return [row.as_row() for row in self.rows]


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"parameter {name}: unknown" + (f", did you mean {close[0]}?" if close else "")
