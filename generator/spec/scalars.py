"""Numbers that remember how they were written.

`version: 1.10` is a number to YAML but text to its author. The reader keeps the spelling beside the value, so
a text field can take the spelling and a number field the value.
"""

from __future__ import annotations

from typing import Self


class SourceInt(int):
    """An integer with its spelling in the file."""

    text: str

    def __new__(cls, text: str) -> Self:
        self = super().__new__(cls, text)
        self.text = text
        return self


class SourceFloat(float):
    """A floating-point number with its spelling in the file."""

    text: str

    def __new__(cls, text: str) -> Self:
        self = super().__new__(cls, text)
        self.text = text
        return self


def spelled(value: object) -> object:
    """The spelling of a number read from a file; any other value as it is."""
    return value.text if isinstance(value, SourceInt | SourceFloat) else value
