"""One writer per resource group: what every kind of lock has in common.

A lock is taken for one API and resource group. Its record names the holder for whoever has to wait; its
token, which nobody can guess, tells one holder from the next. A thread renews it while it is held, and
`check` is called before every write.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import secrets
import socket
import threading
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from reconciler.clock import Clock, SystemClock
from reconciler.errors import (
    InputRejectedError,
    LockHeldError,
    LockLostError,
    LockUnavailableError,
    ReconcilerError,
)

__all__ = ["LIFETIME", "MARGIN", "Lock", "LockRecord"]

#: How long a lock outlives its last renewal.
LIFETIME = timedelta(seconds=60)
#: How long after its expiry a lock is still left alone: clocks and networks are not exact.
MARGIN = timedelta(seconds=10)
_HEARTBEAT_SECONDS = 15.0
_FORMAT = 1
_JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LockRecord:
    """Who holds a lock, for what, and until when; it holds no credentials.

    A released lock may leave a record behind, for stores that cannot delete on a condition.
    """

    token: str
    host: str
    user: str
    process: int
    operation: str
    commit: str  #: of the checkout that the holder works from, "" where there is none yet
    taken_at: datetime
    expires_at: datetime
    released: bool = False

    @property
    def holder(self) -> str:
        """The holder as people know it."""
        return f"{self.user}@{self.host}, process {self.process}"

    def document(self) -> dict[str, Any]:
        """The record as JSON has it."""
        times = {"taken_at": self.taken_at.isoformat(), "expires_at": self.expires_at.isoformat()}
        return {"format_version": _FORMAT, **asdict(self), **times}

    def dump(self) -> bytes:
        """The record as it is stored."""
        return json.dumps(self.document()).encode()

    @classmethod
    def parse(cls, content: bytes) -> LockRecord:
        """What `dump` wrote. Raises ValueError for anything else."""
        document = json.loads(content)
        if not isinstance(document, dict) or document.get("format_version") != _FORMAT:
            raise ValueError("no lock of this version")
        kinds = {"process": int, "released": bool}
        values = {item.name: document.get(item.name) for item in fields(cls)}
        if any(not isinstance(value, kinds.get(name, str)) for name, value in values.items()):
            raise ValueError("fields are missing")
        for name in ("taken_at", "expires_at"):
            moment = datetime.fromisoformat(str(values[name]))
            if moment.tzinfo is None:
                raise ValueError(f"{name} has no time zone")
            values[name] = moment
        return cls(**values)  # type: ignore[arg-type]  # the kinds were looked at above


class Lock(ABC):
    """Context manager: holds the lock of `(base_url, resource_group)` while it is open.

    `acquire`, `refresh`, `check` and `release` are its steps; the context manager adds the thread that
    refreshes it.
    """

    def __init__(
        self,
        base_url: str,
        resource_group: str,
        operation: str,
        *,
        commit: str = "",
        timeout: float = 0.0,
        clock: Clock | None = None,
        poll: float = 1.0,
    ) -> None:
        """`timeout`: seconds to wait for another holder, looking every `poll` seconds."""
        self._where = f"{base_url}, {resource_group}"
        self._operation, self._commit = operation, commit
        self._timeout, self._poll = timeout, poll
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None
        self._lost: LockLostError | None = None
        self._taken_at: datetime | None = None
        self.token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self.acquire()
        self._heart = threading.Thread(target=self._beat, name="corespec-lock", daemon=True)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, after waiting for another holder if that was asked for.

        Raises LockHeldError naming the holder, LockUnavailableError or InputRejectedError where it cannot be
        known who holds it: then nobody goes on.
        """
        waited = 0.0
        while not self._take():
            if waited >= self._timeout:
                raise self._held()
            pause = min(self._poll, self._timeout - waited)
            self._clock.sleep(pause)
            waited += pause

    def check(self) -> None:
        """Raise LockLostError unless the lock is still ours; called before every write."""
        if self._lost is not None:
            raise self._lost
        if self._heart is not None and not self._heart.is_alive():
            raise self._gone("is not renewed any more")
        self._verify()

    def release(self) -> None:
        """Give the lock back if it is still ours. What cannot be given back expires by itself."""
        self._stop.set()
        if self._heart is not None:
            # It may hang in a request; a renewal that comes after the release is refused by its condition.
            self._heart.join(_JOIN_SECONDS)
        with contextlib.suppress(ReconcilerError):
            self._drop()

    @abstractmethod
    def look(self) -> LockRecord | None:
        """Who holds the lock now, without a token where that is not known; None where nobody does."""

    def unlock(self, token: str) -> LockRecord:
        """Remove the lock that bears this very token, whoever holds it; returns its record.

        The holder, if it lives, stops before its next write. Raises InputRejectedError where nobody holds the
        lock or its token is another one.
        """
        record = self.look()
        if record is None:
            raise InputRejectedError(f"Nobody holds the lock of {self._where}.")
        if record.token != token or not self._remove(token):
            raise InputRejectedError(
                f"The lock of {self._where} has another token: {record.holder} holds it.",
                remedy="Without a token, `corespec unlock` shows which one it has now.",
            )
        return record

    @abstractmethod
    def refresh(self) -> None:
        """Move the expiry on. Raises LockLostError where the lock is not ours any more."""

    @abstractmethod
    def _take(self) -> bool:
        """Take the lock if it is free; False where another holds it."""

    @abstractmethod
    def _verify(self) -> None:
        """Raise LockLostError unless the lock is ours."""

    @abstractmethod
    def _drop(self) -> None:
        """Release the lock if it is ours."""

    @abstractmethod
    def _remove(self, token: str) -> bool:
        """Remove the lock with this token; False where it has another one by now."""

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_SECONDS):
            try:
                self.refresh()
            except LockLostError as error:
                self._lost = error
                return
            except ReconcilerError:
                continue  # tried again at the next beat; if it lasts the lock expires, and `check` sees that

    def _record(self, now: datetime) -> LockRecord:
        self._taken_at = self._taken_at or now
        return LockRecord(
            token=self.token,
            host=socket.gethostname(),
            user=_user(),
            process=os.getpid(),
            operation=self._operation,
            commit=self._commit,
            taken_at=self._taken_at,
            expires_at=now + LIFETIME,
        )

    def _held(self) -> LockHeldError:
        record = self.look()
        known = record if record and record.token else None
        who = f"{known.holder} is" if known else "Another process is"
        what = f" ({self._told(known)})" if known else ""
        return LockHeldError(
            f"{who} at work on {self._where}{what}.",
            remedy="Wait for it to end, or give --lock-timeout SECONDS to wait here. "
            "`corespec unlock` shows more.",
        )

    def _told(self, record: LockRecord) -> str:
        silent = record.expires_at < self._present()
        said = ", but it gives no sign of life" if silent else f", since {record.taken_at:%H:%M:%S} UTC"
        return f"{record.operation}{said}"

    def _present(self) -> datetime:
        """The time by which expiry is judged."""
        return self._clock.now()

    def _gone(self, how: str) -> LockLostError:
        return LockLostError(
            f"The lock of {self._where} {how}; this process stops writing.",
            remedy="Run it again: it goes on from there, and nothing runs twice.",
        )

    def _unavailable(self, message: str, *, remedy: str, transient: bool = False) -> LockUnavailableError:
        return LockUnavailableError(message, remedy=remedy, transient=transient)


def lock_name(base_url: str, resource_group: str) -> str:
    """The name of the lock of one place, as a file or key."""
    return hashlib.sha256(f"{base_url}\n{resource_group}".encode()).hexdigest()[:24]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
