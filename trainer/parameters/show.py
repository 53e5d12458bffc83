"""The table as people read it: what is in force, what the default is, what is legal, what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.parameters.scheme import Parameter
from trainer.parameters.table import ParameterTable

_HEADER = ("name", "value", "default", "range", "meaning")
_WIDEST = (30, 26, 26, 28, 60)
_EMPTY = '""'


def describe(table: ParameterTable[Any], values: Mapping[str, str]) -> str:
    """A plain-text table of every parameter with its value in force; `*` marks what is not the default."""
    cells = [_HEADER, *(_cells(row, values.get(row.name, row.default)) for row in table.rows)]
    wrapped = [
        [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDEST, strict=True)]
        for row in cells
    ]
    widths = [max(len(line) for row in wrapped for line in row[column]) for column in range(len(_HEADER))]
    lines = [line for row in wrapped for line in _lines(row, widths)]
    return "\n".join([f"parameters of {table.workflow} (* = not the default)", *lines])


def _cells(row: Parameter, value: str) -> tuple[str, ...]:
    changed = "* " if _differs(row, value) else ""
    return (row.name, f"{changed}{value or _EMPTY}", row.default or _EMPTY, _range(row), row.description)


def _differs(row: Parameter, value: str) -> bool:
    """Whether a value means something else than the default; one that cannot be read does."""
    try:
        return bool(row.value(value) != row.value(row.default))
    except ValueError:
        return True


def _range(row: Parameter) -> str:
    if row.choices:
        return " | ".join(row.choices)
    if row.minimum is not None and row.maximum is not None:
        return f"{row.minimum:.10g} to {row.maximum:.10g}"
    if row.minimum is not None:
        return f"at least {row.minimum:.10g}"
    return "true | false" if row.type == "boolean" else row.type


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for number in range(max(len(cell) for cell in row)):
        parts = [
            (cell[number] if number < len(cell) else "").ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        yield "  ".join(parts).rstrip()
