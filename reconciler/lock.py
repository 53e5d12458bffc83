"""One writer per resource group on one host.

The operating system's file lock decides, so a killed writer never leaves a lock behind, and a living one is
never passed over, however long it is silent. The record beside it is for whoever has to wait; its token is
compared again before each write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import filelock

from reconciler.clock import Clock
from reconciler.errors import InputRejectedError
from reconciler.files import write_atomically
from reconciler.lock_base import Lock, LockRecord, lock_name

_POLL_SECONDS = 0.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The system knows that somebody holds the lock, and the record is not there: not yet, or not any more.
_UNKNOWN = LockRecord("", "this host", "somebody", 0, "", "", _EPOCH, _EPOCH)


def default_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where the locks of this user lie: they must be shared by all checkouts that write to one place."""
    known = os.environ if environ is None else environ
    state = known.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(known.get("CORESPEC_STATE_DIR") or f"{state}/corespec") / "locks"


class FileLock(Lock):
    """The lock of one place among the processes of one host."""

    def __init__(
        self,
        base_url: str,
        resource_group: str,
        operation: str,
        *,
        commit: str = "",
        timeout: float = 0.0,
        folder: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`timeout`: seconds to wait for another holder; `folder`: default `default_folder()`."""
        super().__init__(
            base_url,
            resource_group,
            operation,
            commit=commit,
            timeout=timeout,
            clock=clock,
            poll=_POLL_SECONDS,
        )
        name = lock_name(base_url, resource_group)
        self._folder = folder or default_folder()
        self._path = self._folder / f"{name}.json"
        self._guard = self._folder / f"{name}.guard"
        self._lock = filelock.FileLock(self._folder / f"{name}.lock", thread_local=False)

    def look(self) -> LockRecord | None:
        with self._usable():
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout:
                return self._read() or _UNKNOWN
            self._lock.release()
        return None  # the system knows of no holder: whatever record lies there is one of the dead

    def refresh(self) -> None:
        with self._usable(), self._alone():
            self._verify()
            write_atomically(self._path, self._record(self._clock.now()).dump())

    def _take(self) -> bool:
        with self._usable():
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout:
                return False
            with self._alone():
                write_atomically(self._path, self._record(self._clock.now()).dump())
        return True

    def _verify(self) -> None:
        record = self._read()
        if record is None or record.token != self.token:
            raise self._gone("was taken away from this process")

    def _drop(self) -> None:
        try:
            with self._usable():
                self._remove(self.token)
        finally:
            self._lock.release()

    def _remove(self, token: str) -> bool:
        """The record goes; the system's lock goes with its process, which stops before its next write."""
        with self._usable(), self._alone():
            record = self._read()
            if record is None or record.token != token:
                return False
            self._path.unlink(missing_ok=True)
        return True

    def _read(self) -> LockRecord | None:
        try:
            return LockRecord.parse(self._path.read_bytes())
        except (OSError, ValueError):
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Reading and writing the record as one step, among threads and processes."""
        with filelock.FileLock(self._guard):
            yield

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputRejectedError(
                f"No lock can be made in {self._folder}: {error.strerror or error}",
                remedy="Make the folder writable, or set CORESPEC_STATE_DIR to one that is.",
            ) from None
