"""One writer per resource group on one host.

The operating system's file lock decides, so a killed writer never leaves a lock behind. A record beside it
names the holder for whoever has to wait; its token is compared again before each write, its expiry is
renewed while the holder lives.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import filelock

from reconciler.clock import Clock, SystemClock
from reconciler.errors import InputRejectedError, LockHeldError
from reconciler.files import write_atomically

LIFETIME = timedelta(seconds=60)
_HEARTBEAT_SECONDS = 15.0
_POLL_SECONDS = 0.2


def default_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where the locks of this user lie: they must be shared by all checkouts that write to one place."""
    known = os.environ if environ is None else environ
    state = known.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(known.get("CORESPEC_STATE_DIR") or f"{state}/corespec") / "locks"


class FileLock:
    """Context manager: holds the lock of `(base_url, resource_group)` while it is open."""

    def __init__(
        self,
        base_url: str,
        resource_group: str,
        operation: str,
        *,
        timeout: float = 0.0,
        folder: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`timeout`: seconds to wait for another holder."""
        name = hashlib.sha256(f"{base_url}\n{resource_group}".encode()).hexdigest()[:24]
        self._folder = folder or default_folder()
        self._record = self._folder / f"{name}.json"
        self._lock = filelock.FileLock(self._folder / f"{name}.lock", thread_local=False)
        self._operation, self._timeout, self._where = operation, timeout, f"{base_url}, {resource_group}"
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None
        self.token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        """Raises LockHeldError naming the holder, InputRejectedError where no lock can be made."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._timeout, poll_interval=_POLL_SECONDS)
        except filelock.Timeout:
            raise self._held() from None
        except OSError as error:
            raise InputRejectedError(
                f"No lock can be made in {self._folder}: {error.strerror or error}",
                remedy="Make the folder writable, or set CORESPEC_STATE_DIR to one that is.",
            ) from None
        self._write_record()
        self._heart = threading.Thread(target=self._beat, name="corespec-lock", daemon=True)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        if _read(self._record).get("token") == self.token:
            self._record.unlink(missing_ok=True)
        self._lock.release()

    def check(self) -> None:
        """Raise LockHeldError unless the lock is still ours; called before every write to AI Core."""
        if _read(self._record).get("token") != self.token:
            raise LockHeldError(
                f"The lock for {self._where} was taken away from this process; it stops writing."
            )

    def _beat(self) -> None:
        while not self._stop.wait(_HEARTBEAT_SECONDS):
            if _read(self._record).get("token") == self.token:
                self._write_record()

    def _write_record(self) -> None:
        record = {
            "token": self.token,
            "holder": f"{_user()}@{socket.gethostname()}, process {os.getpid()}",
            "operation": self._operation,
            "expires": (self._clock.now() + LIFETIME).isoformat(),
        }
        write_atomically(self._record, json.dumps(record).encode())

    def _held(self) -> LockHeldError:
        record = _read(self._record)
        holder, operation = record.get("holder", "another process"), record.get("operation", "a write")
        return LockHeldError(
            f"{holder} is at work on {self._where} ({operation}{self._staleness(record)}).",
            remedy="Wait for it to end, or give --lock-timeout SECONDS to wait here.",
        )

    def _staleness(self, record: Mapping[str, Any]) -> str:
        try:
            expires = datetime.fromisoformat(str(record["expires"]))
        except (KeyError, ValueError):
            return ""
        return ", but it gives no sign of life" if expires < self._clock.now() else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
