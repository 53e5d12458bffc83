"""One place where an exception becomes an exit code and one message.

The families of the rooms below carry their own meaning; this module only knows where to look for it:

    generator.InputError          the specs or the catalogue are at fault                2
    generator.GeneratorError      Git, references: 1 when it may pass, 2 when it will not
    reconciler.ReconcilerError    each class states its own                              1, 2, 4 or 5
    CommandError                  what only the command line itself can find             its own
    usage (typer)                 unknown verb, option or value                          2
    OSError                       the machine: disk, permissions, a missing file         1
    KeyboardInterrupt             Ctrl-C                                                 130
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reconciler.exitcode import ExitCode


class CommandError(Exception):
    """A fault that only the command line itself can find; `remedy` says what to do next."""

    def __init__(self, message: str, *, remedy: str = "", code: ExitCode = ExitCode.REJECTED) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as a user meets it: `message` may have several lines, `details` is for machines."""

    code: ExitCode
    kind: str
    message: str
    details: tuple[Mapping[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """The failure as the JSON that `-o json` prints."""
        error: dict[str, Any] = {"kind": self.kind, "message": self.message}
        if self.details:
            error["diagnostics"] = [dict(detail) for detail in self.details]
        return {"exit_code": int(self.code), "error": error}


def families() -> tuple[type[BaseException], ...]:
    """Every class that `explain` can explain; importing the rooms is left until something was raised."""
    from generator.errors import GeneratorError
    from reconciler.errors import ReconcilerError

    return (CommandError, GeneratorError, ReconcilerError, OSError, KeyboardInterrupt)


def explain(error: BaseException) -> Failure:
    """The failure that `error`, one of `families()`, stands for."""
    from generator.errors import GeneratorError, InputError
    from reconciler.errors import ReconcilerError

    kind = type(error).__name__
    match error:
        case InputError():
            details = tuple(asdict(found) for found in error.diagnostics)
            return Failure(ExitCode.REJECTED, kind, "\n".join(map(str, error.diagnostics)), details)
        case GeneratorError():
            code = ExitCode.FAILURE if error.transient else ExitCode.REJECTED
            return Failure(code, kind, str(error))
        case ReconcilerError():
            return Failure(ExitCode(error.exit_code), kind, str(error))
        case CommandError():
            return Failure(error.code, kind, str(error))
        case OSError():
            return Failure(ExitCode.FAILURE, kind, _os_error(error))
    return Failure(ExitCode.INTERRUPTED, "Interrupted", INTERRUPTED)


INTERRUPTED = "Interrupted. What was sent stays; run the same command again and it goes on from there."


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
