"""Which port answers for a deployment, and how many requests are under way to each: none shall be cut off."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

#: Longest wait for requests under way before a replaced server is ended all the same, seconds.
PATIENCE = 60.0


class Traffic:
    """Shared between the thread that decides and those that pass requests on; `now` in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ports: dict[str, int] = {}
        self._busy: Counter[tuple[str, int]] = Counter()
        self._waiting: dict[tuple[str, int], float] = {}

    def lead(self, deployment_id: str, port: int | None) -> None:
        """From now on requests go to this port; None: to nobody."""
        with self._lock:
            if port is None:
                self._ports.pop(deployment_id, None)
            else:
                self._ports[deployment_id] = port

    def enter(self, deployment_id: str) -> int | None:
        """The port for one request, which `leave` must follow; None when nobody answers."""
        with self._lock:
            port = self._ports.get(deployment_id)
            if port is not None:
                self._busy[deployment_id, port] += 1
            return port

    def leave(self, deployment_id: str, port: int) -> None:
        with self._lock:
            self._busy[deployment_id, port] -= 1
            if not self._busy[deployment_id, port]:
                del self._busy[deployment_id, port]

    def idle(self, deployment_id: str, port: int) -> bool:
        """Whether no request is under way to a port that is led to no more, or has been for too long."""
        with self._lock:
            key = (deployment_id, port)
            if not self._busy[key]:
                del self._busy[key]
                self._waiting.pop(key, None)
                return True
            return self._now() - self._waiting.setdefault(key, self._now()) > PATIENCE
