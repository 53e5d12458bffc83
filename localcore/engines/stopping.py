"""Asking supervisors to end: SIGTERM once, SIGKILL when that has not helped in time."""

from __future__ import annotations

import signal
import time

from localcore.engines.processes import send


class Stopper:
    """Remembers when each was asked first; `patience` in seconds."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._asked: dict[str, float] = {}

    def ask(self, key: str, pid: int | None) -> None:
        """Ask the supervisor of `key`; call it again until it has ended."""
        if pid is None:
            return
        first = self._asked.get(key)
        if first is None:
            self._asked[key] = time.monotonic()
            send({pid}, signal.SIGTERM)
        elif time.monotonic() - first > self._patience:
            send({pid}, signal.SIGKILL)

    def forget(self, key: str) -> None:
        self._asked.pop(key, None)
