"""Collecting findings about one file."""

from __future__ import annotations

from dataclasses import dataclass, field

from generator.errors import Diagnostic
from generator.spec.parse import dotted
from generator.spec.reader import Path, Positions


@dataclass
class Findings:
    """Findings about one file, placed by the path of the value they speak of."""

    path: str
    positions: Positions
    items: list[Diagnostic] = field(default_factory=list)

    def add(self, where: Path, code: str, message: str, *, key: bool = False) -> None:
        """Note a finding at a value, or at its key."""
        position = self.positions.of_key(where) if key else self.positions.of(where)
        self.items.append(Diagnostic(self.path, *position, code, f"{dotted(where)}: {message}"))
