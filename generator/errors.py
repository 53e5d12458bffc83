"""What can go wrong on the ground floor, as a small tree: bad input, unreadable references, Git.

Every error says what to do next. `transient` tells a loop whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Diagnostic", "GeneratorError", "InputError", "ReferenceUnavailableError", "RepositoryError"]


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding in a user's file; `line` and `column` count from 1.

    A warning is worth reading and stops nothing: it changes no exit code.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.path}:{self.line}:{self.column}: {mark}{self.code}: {self.message}"


class GeneratorError(Exception):
    """Anything the generator refuses or fails to do."""

    transient: bool = False


class InputError(GeneratorError):
    """The user's files are wrong. Holds every finding of every file, sorted and free of repeats.

    Raised because of errors only (`generator.lint.errors`); a warning alone never raises it.
    """

    diagnostics: tuple[Diagnostic, ...]

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(set(diagnostics)))
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))


class ReferenceUnavailableError(GeneratorError):
    """An `env:`, `file:` or `${NAME}` reference leads nowhere. Names the reference, never a value."""


class RepositoryError(GeneratorError):
    """Git failed. `transient` is true where the same call may succeed later (network, a busy lock)."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(message)
