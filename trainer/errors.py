"""What can go wrong before and during a training, and the exit code each error becomes.

The tree is small on purpose: a caller only ever has to know whether the user's input is at fault
(exit 2, nothing to retry) or the machine (exit 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TrainerError(Exception):
    """The training cannot go on; the message is one line for people and says what to do next."""

    exit_code: ClassVar[int] = 1


class InputError(TrainerError):
    """The parameters or the data are at fault: running again unchanged gives the same error."""

    exit_code: ClassVar[int] = 2


class ParameterError(InputError):
    """One or more parameters are unknown, of the wrong type or out of range."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("; ".join(self.problems))


class DatasetError(InputError):
    """The dataset cannot be trained on; ``problems`` holds one line per fault, as the report prints them."""

    def __init__(self, summary: str, problems: Sequence[str] = ()) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__(summary)
