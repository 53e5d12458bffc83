"""Why a reconciliation stopped, and what to do next.

    ReconcilerError
    ├── TransientError          the same call may succeed later                       exit 1
    │   └── AmbiguousError      a write went out and its outcome is unknown           exit 1
    ├── TerminalError           trying again changes nothing                          exit 1
    │   ├── NotFoundError       the API says: there is no such thing                  exit 1
    │   ├── ApiError            the API answered something that cannot be read        exit 1
    │   ├── LockLostError       the lock is another's by now                          exit 5
    │   └── InputRejectedError       the user's input is at fault                          exit 2
    │       ├── AuthenticationError   credentials do not work
    │       ├── ConflictError         same name, other content
    │       ├── PolicyError           more launches than the policy allows
    │       ├── DatasetError          a dataset cannot be used
    │       └── StaleRenderError      the pushed rendered/ is not what the specs render
    ├── LockUnavailableError    whether the lock is free cannot be known              exit 1
    ├── NotHealthyError         applied, but AI Core did not become healthy in time   exit 4
    └── LockHeldError           another writer is at work                             exit 5

Every message names the thing and the remedy; no message ever holds a secret's value.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AmbiguousError",
    "ApiError",
    "AuthenticationError",
    "ConflictError",
    "DatasetError",
    "InputRejectedError",
    "LockHeldError",
    "LockLostError",
    "LockUnavailableError",
    "NotFoundError",
    "NotHealthyError",
    "PolicyError",
    "ReconcilerError",
    "StaleRenderError",
    "TerminalError",
    "TransientError",
]


class ReconcilerError(Exception):
    """Base of the tree. `remedy` says what the user can do; `exit_code` is the verb's exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class TransientError(ReconcilerError):
    """The network or the service failed in a way that passes; `retry_after` is seconds, None if unknown."""

    def __init__(self, message: str, *, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, remedy=remedy or "Try again; nothing is lost and nothing runs twice.")
        self.retry_after = retry_after


class AmbiguousError(TransientError):
    """A create was sent and no clear answer came back: look before sending it again."""


class TerminalError(ReconcilerError):
    """The same call would fail in the same way again."""


class NotFoundError(TerminalError):
    """The API states that the object does not exist; unreadable is a different thing."""


class ApiError(TerminalError):
    """The API answered outside its own contract, or refused for a reason of its own."""


class LockLostError(TerminalError):
    """The lock was ours and is not any more: whoever raises this has stopped writing."""

    exit_code = 5


class InputRejectedError(TerminalError):
    """Specs, credentials, policy or data at fault: nothing was created."""

    exit_code = 2


class AuthenticationError(InputRejectedError):
    """The credentials do not work, or do not reach this resource group."""


class ConflictError(InputRejectedError):
    """A live object bears our name and holds something else."""


class PolicyError(InputRejectedError):
    """The plan exceeds a limit of the environment's policy."""


class DatasetError(InputRejectedError):
    """A dataset cannot be read, is empty, or does not pass its check."""


class StaleRenderError(InputRejectedError):
    """What AI Core would sync is not what the specs render."""


class LockUnavailableError(ReconcilerError):
    """Whether another writer is at work cannot be known, so nobody goes on; `transient`: it may pass."""

    def __init__(self, message: str, *, remedy: str = "", transient: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.transient = transient


class NotHealthyError(ReconcilerError):
    """Everything asked for was sent, and AI Core did not reach the wanted state."""

    exit_code = 4


class LockHeldError(ReconcilerError):
    """Another writer holds the lock of this resource group."""

    exit_code = 5
