"""What the parts of an import hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from generator.spec.findings import Findings
from generator.spec.reader import Path, Positions


class Outcome(StrEnum):
    """What became of one thing that the old file said."""

    CARRIED = "carried"
    CHANGED = "changed"
    DROPPED = "not carried"


@dataclass(frozen=True)
class Row:
    """One line of the account: `before` in the old file, `after` in what is rendered now, and why.

    `before` is empty for what the old file did not say, `after` for what is not carried.
    """

    file: str
    subject: str
    outcome: Outcome
    before: str = ""
    after: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Foreign:
    """A file that was not written for corespec, as plain data.

    `bindings` holds what a notebook binds with `ParameterBinding(name, value)`, by name; `comments` says
    whether the author explained something that data cannot hold.
    """

    path: str
    data: dict[str, Any]
    positions: Positions
    bindings: Mapping[str, Any] = field(default_factory=dict)
    comments: bool = False

    def findings(self) -> Findings:
        """An empty list of findings about this file."""
        return Findings(self.path, self.positions)


@dataclass(frozen=True)
class OwnWorkflow:
    """A workflow folder of the user's own: its name and its files (name -> text)."""

    name: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Draft:
    """What one old file asks for, in the words of the spec language.

    `metadata` is that of the scenario (`name`, and whatever else the file says), `executable` the entry under
    `executables.<id>`. `template` is the old template where there was one; `expected` is what the rendered
    one must hold where there was none (path -> value). `allowed` explains differences from `template`:
    address of `generator.diff` (or its beginning) -> reason.
    """

    source: Foreign
    id: str
    metadata: Mapping[str, Any]
    executable: Mapping[str, Any]
    datasets: Mapping[str, Any] = field(default_factory=dict)
    configurations: Mapping[str, Any] = field(default_factory=dict)
    workflow: OwnWorkflow | None = None
    template: Mapping[str, Any] | None = None
    expected: Mapping[Path, str] = field(default_factory=dict)
    allowed: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()


class Account:
    """Collects the rows of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.rows: list[Row] = []

    def carried(self, subject: str, value: str) -> None:
        """Note what means the same there and here, unless a row speaks of it already."""
        if any(row.subject == subject for row in self.rows):
            return
        self.rows.append(Row(self.file, subject, Outcome.CARRIED, value, value))

    def changed(self, subject: str, before: str, after: str, reason: str) -> None:
        """Note what is different now, on purpose."""
        self.rows.append(Row(self.file, subject, Outcome.CHANGED, before, after, reason))

    def dropped(self, subject: str, value: str, reason: str) -> None:
        """Note what has no place here."""
        self.rows.append(Row(self.file, subject, Outcome.DROPPED, value, "", reason))
