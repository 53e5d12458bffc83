"""`corespec unlock`: who holds the lock of an environment; remove it, by its token."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Directory, Environment, Format, Output
from corespec.project import project_root, read_environment
from reconciler.exitcode import ExitCode
from reconciler.locks import Lock, LockRecord, open_lock

Token = Annotated[
    str | None, typer.Argument(help="Of the lock to remove; without it, the holder is shown and stays.")
]


def run(
    token: Token = None,
    directory: Directory = Path(),
    environment: Environment = None,
    form: Output = Format.TEXT,
) -> int:
    """Show who is at work on the environment, or remove the lock that bears this very token.

    A lock whose holder has died goes by itself; remove one only when its holder is known to be gone. One that
    lives stops before its next write. Exit code 5 while somebody holds the lock, 0 when nobody does, 2 when
    the token is another one.
    """
    place = read_environment(directory, environment)
    lock = open_lock(place, project_root(directory))
    if token is None:
        return _show(lock, place.metadata.name, form)
    record = lock.unlock(token)
    if form is Format.JSON:
        output.emit({"kind": "Unlock", "exit_code": 0, "removed": _document(record)})
    else:
        output.say(_told(record))
        output.say("The lock is removed. If that process lives, it stops before its next write.")
    return ExitCode.CONVERGED


def _show(lock: Lock, environment: str, form: Format) -> int:
    record = lock.look()
    code = ExitCode.LOCKED if record else ExitCode.CONVERGED
    if form is Format.JSON:
        held = _document(record) if record else None
        output.emit({"kind": "Lock", "exit_code": int(code), "held": held})
    elif record is None:
        output.say(f"Nobody holds the lock of {environment}.")
    elif not record.token:
        output.say(f"A process of this host holds the lock of {environment}; it does not say which one.")
    else:
        output.say(_told(record))
        output.say(f"If that process is gone for good: corespec unlock {record.token} -e {environment}")
    return code


def _told(record: LockRecord) -> str:
    commit = f", commit {record.commit[:10]}" if record.commit else ""
    times = f"since {record.taken_at:%Y-%m-%d %H:%M:%S} UTC, expires {record.expires_at:%H:%M:%S}"
    return f"{record.holder}: {record.operation}{commit}\n  {times} unless renewed"


def _document(record: LockRecord) -> dict[str, object]:
    told = record.document()
    return {name: told[name] for name in told if name not in {"format_version", "released"}}
