"""The texts inside of a ServingTemplate: YAML with `{{…}}`, which AI Core fills before it parses them.

Every reference is replaced by a word of the same length for parsing, and put back afterwards, so that
`minReplicas: {{inputs.parameters.low}}` can be read, and lines and columns stay what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from generator.linting.expressions import EXPRESSION
from generator.linting.source import Places, Problem, Read, read_text
from generator.spec.reader import Path, Position, Positions

_FIRST, _LAST = 0xE000, 0xF8FF  # Unicode's private use area: legal in YAML, and used by nobody
_RUN = re.compile(rf"([{chr(_FIRST)}-{chr(_LAST)}])\1*")
_LOGIC = re.compile(r"\{%|\{#")


@dataclass(frozen=True)
class Inner:
    """One text: its data (None when it cannot be known), positions in the text, and what is wrong with it."""

    text: str
    data: Any
    places: Positions
    problem: Problem | None = None

    @property
    def opaque(self) -> bool:
        """Whether the text decides its own structure, so that nobody knows it before it is filled."""
        return bool(_LOGIC.search(self.text))


def read_inner(text: str) -> Inner:
    """Read one of the texts. Never raises for bad content."""
    if _LOGIC.search(text):
        return Inner(text, None, Positions())
    found = [match[0] for match in EXPRESSION.finditer(text)]
    if len(found) > _LAST - _FIRST:
        return Inner(text, None, Positions(), Problem((1, 1), "unreadable", "holds thousands of references"))
    numbers = iter(range(len(found)))
    read = read_text(EXPRESSION.sub(lambda match: chr(_FIRST + next(numbers)) * len(match[0]), text))
    problem = _problem(read)
    if problem:
        return Inner(text, None, Positions(), problem)
    data, places = read.documents[0]
    return Inner(text, _restored(data, found), places)


def _problem(read: Read) -> Problem | None:
    if read.problems:
        return read.problems[0]
    if len(read.documents) != 1 or not isinstance(read.documents[0][0], dict):
        return Problem((1, 1), "serving-text", "must hold one mapping (`key: value` lines)")
    return None


def _restored(value: Any, found: list[str]) -> Any:
    if isinstance(value, dict):
        return {_restored(key, found): _restored(item, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, found) for item in value]
    return _RUN.sub(lambda run: _expression(run[0], found), value) if isinstance(value, str) else value


def _expression(run: str, found: list[str]) -> str:
    number = ord(run[0]) - _FIRST
    return found[number] if number < len(found) and len(found[number]) == len(run) else run


def merged(positions: Positions, texts: dict[Path, Inner]) -> Positions:
    """Positions of the file, with those inside of its literal texts at the lines where they really stand;
    a text that cannot be read stands where reading stopped."""
    if not isinstance(positions, Places):
        return positions
    result = Positions(dict(positions.values), dict(positions.keys))
    for path, inner in texts.items():
        start = positions.texts.get(path)
        if start and inner.problem:
            result.values[path] = shifted(inner.problem.position, start)
        elif start:
            for places, outside in ((inner.places.values, result.values), (inner.places.keys, result.keys)):
                outside.update({(*path, *below): shifted(at, start) for below, at in places.items() if below})
    return result


def shifted(position: Position, start: Position) -> Position:
    """A position in a literal text as a position in its file."""
    return position[0] + start[0] - 1, position[1] + start[1] - 1
