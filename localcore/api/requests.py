"""The record of requests: who wrote what and when, so that a test can prove that nothing was written.

One JSON line per writing request in DIR/requests.jsonl: time, method, path, status. No query, header or body.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from localcore import clock

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
router = APIRouter(prefix="/_localcore")


class RequestLog:
    """Counts by kind: clients' reads and writes, tokens, requests to deployments, containers' metrics."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(reads=0, writes=0, tokens=0, inference=0, tracking=0)

    @staticmethod
    def _kind(method: str, path: str) -> str:
        if path.startswith("/oauth/"):
            return "tokens"
        if path.startswith("/api/v1/"):
            return "tracking"
        if path.startswith("/v2/inference/"):
            return "inference"
        return "writes" if method in _WRITES else "reads"

    def record(self, method: str, path: str, status: int) -> None:
        kind = self._kind(method, path)
        with self._lock:
            self._counts[kind] += 1
            if kind == "writes":
                line = {"time": clock.now_precise(), "method": method, "path": path, "status": status}
                with self._path.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


@router.get("/requests")
def requests(request: Request) -> dict[str, Any]:
    """Counts since the server started."""
    log: RequestLog = request.app.state.requests
    return log.counts()
