"""The exit code of every verb, computed in one place.

0 converged · 1 tool, network or API failure · 2 input rejected · 3 changes pending · 4 applied but not
healthy · 5 lock held · 130 interrupted. What is worse wins: 130 > 1 > 2 > 5 > 4 > 3 > 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """What a verb ends with."""

    CONVERGED = 0
    FAILURE = 1
    REJECTED = 2
    PENDING = 3
    NOT_HEALTHY = 4
    LOCKED = 5
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.FAILURE,
    ExitCode.REJECTED,
    ExitCode.LOCKED,
    ExitCode.NOT_HEALTHY,
    ExitCode.PENDING,
    ExitCode.CONVERGED,
)


def exit_code(codes: Iterable[int]) -> ExitCode:
    """The one code for everything that happened; 0 when nothing did."""
    happened = set(codes)
    return next((code for code in _WORST_FIRST if code in happened), ExitCode.CONVERGED)
