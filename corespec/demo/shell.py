"""The commands of the demo, printed as a user would type them and run as what they say."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corespec import output
from corespec.errors import CommandError
from reconciler.exitcode import ExitCode

#: What the first word of a command stands for; everything else is looked up on PATH.
_PROGRAMS = {
    "corespec": (sys.executable, "-m", "corespec"),
    "python": (sys.executable,),
}

_INTERRUPTED = (130, -signal.SIGINT)


def shown(words: Sequence[str | Path]) -> str:
    """The command as it is typed."""
    return shlex.join(str(word) for word in words)


def run(*words: str | Path, accept: Sequence[int] = (0,), log: Path | None = None) -> int:
    """Print the command and run it with this terminal as its own; raises CommandError for any other code."""
    output.say(f"$ {shown(words)}")
    sys.stdout.flush()
    code = subprocess.run(_argv(words), check=False, env=_environment()).returncode
    if code in _INTERRUPTED:
        raise KeyboardInterrupt
    if code not in accept:
        raise _failed(words, code, log)
    return code


def quiet(*words: str | Path, cwd: Path | None = None) -> str:
    """Print the command, run it, and return what it said; its messages are shown only when it fails."""
    output.say(f"$ {shown(words)}")
    return captured(*words, cwd=cwd)


def captured(*words: str | Path, cwd: Path | None = None, accept: Sequence[int] = (0,)) -> str:
    """Run a command unseen and return its stdout; raises CommandError for any other code."""
    result = subprocess.run(
        _argv(words), check=False, capture_output=True, text=True, cwd=cwd, env=_environment()
    )
    if result.returncode not in accept:
        sys.stderr.write(result.stderr)
        raise _failed(words, result.returncode, None)
    return result.stdout


def answered(*words: str | Path, accept: Sequence[int] = (0,)) -> dict[str, Any]:
    """The JSON document that a verb prints."""
    document: dict[str, Any] = json.loads(captured(*words, "-o", "json", accept=accept))
    return document


def _argv(words: Sequence[str | Path]) -> list[str]:
    first, *rest = (str(word) for word in words)
    return [*_PROGRAMS.get(first, (first,)), *rest]


def _environment() -> dict[str, str]:
    """Ours, without what would make Git ask for a password or write in another language."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def _failed(words: Sequence[str | Path], code: int, log: Path | None) -> CommandError:
    where = f" Its log is {log}." if log is not None else ""
    known = {int(member) for member in ExitCode}
    return CommandError(
        f"`{shown(words)}` ended with code {code}.{where}",
        remedy="What is done stays done: mend what it says, then run the demo again.",
        code=ExitCode(code) if code in known and code else ExitCode.FAILURE,
    )
