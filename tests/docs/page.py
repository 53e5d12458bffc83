"""docs/python.md as data: its modules, what their tables promise, and its examples."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "python.md"

_HEADING = re.compile(r"^#{2,3} (?=`)(.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Entry:
    """One row: a call with its `signature`, or a class with what it `holds`; `raises` names exceptions."""

    modules: tuple[str, ...]
    name: str
    signature: str | None
    holds: tuple[str, ...] = ()
    raises: tuple[str, ...] = ()

    @property
    def exported(self) -> str:
        """The name that a module has to export: of a method, that of its class."""
        return self.name.partition(".")[0]

    def owner(self) -> ModuleType:
        """The module of this row's section that has the name."""
        found = [importlib.import_module(module) for module in self.modules]
        return next((module for module in found if hasattr(module, self.exported)), found[0])

    def find(self) -> Any:
        """The object that the row speaks of; raises AttributeError where there is none."""
        value: Any = self.owner()
        for part in self.name.split("."):
            value = getattr(value, part)
        return value

    def __str__(self) -> str:
        return f"{self.modules[0]}.{self.name}"


@dataclass(frozen=True)
class Example:
    """One fenced block: Python or shell commands, where it stands, and the output that the page shows."""

    language: str
    source: str
    line: int
    output: str | None


def page() -> str:
    """The text of the page."""
    return PAGE.read_text(encoding="utf-8")


def entries() -> list[Entry]:
    """The rows of every section whose heading names modules."""
    parts = _HEADING.split(page())[1:]
    sections = zip(parts[::2], parts[1::2], strict=True)
    return [row for heading, body in sections for row in _rows(tuple(_CODE.findall(heading)), body)]


def _rows(modules: tuple[str, ...], body: str) -> Iterator[Entry]:
    for cells in table_rows(re.split(r"^## ", body, maxsplit=1, flags=re.MULTILINE)[0]):
        quoted = _CODE.findall(cells[0])
        if len(quoted) != 1:
            continue
        name, bracket, rest = quoted[0].partition("(")
        if bracket:
            yield Entry(modules, name, f"({rest}", raises=tuple(_CODE.findall(cells[2])))
        else:
            yield Entry(modules, name, None, holds=tuple(_CODE.findall(cells[1])))


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table, but for the heads."""
    lines = text.splitlines()
    for above, line in pairwise(lines):
        if line.startswith("| ") and above.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def examples() -> list[Example]:
    """The blocks that run, in their order."""
    text, found = page(), list[Example]()
    for match in _FENCE.finditer(text):
        language, body = match.groups()
        if language == "text":
            assert found, "output without an example"
            last = found.pop()
            found.append(Example(last.language, last.source, last.line, body))
        else:
            found.append(Example(language, body, text.count("\n", 0, match.start()) + 2, None))
    return found
