"""The log of an execution: JSON lines with ascending times, written by one supervisor, read by the server."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from localcore import clock

MAX_LINE = 16_384


class LogWriter:
    """Appends lines and lets a reader see each at once; never goes back in time even if the clock does.

    Beyond `limit` bytes the file is turned over: one older part is kept, which nobody reads.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self._path, self._limit = path, limit
        self._stream = path.open("ab", buffering=0)
        self._latest = ""

    def write(self, text: str, *, stream: str, node: str, container: str = "main") -> None:
        self._latest = max(self._latest, clock.now_precise())
        line = {
            "timestamp": self._latest,
            "msg": text[:MAX_LINE],
            "stream": stream,
            "container": container,
            "pod": node,
        }
        self._stream.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

        if self._limit is not None and self._stream.tell() > self._limit:
            self._turn_over()

    def _turn_over(self) -> None:
        """Two revisions of a deployment may write at once: who comes second only opens the new file."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._stream.fileno()), self._path.stat()):
                self._path.replace(self._path.with_suffix(".1.jsonl"))
        self._stream.close()
        self._stream = self._path.open("ab", buffering=0)

    def close(self) -> None:
        self._stream.close()


def _parsed(line: bytes) -> dict[str, str] | None:
    """A whole line; None for a line that is still being written."""
    if not line.endswith(b"\n"):
        return None
    try:
        found: dict[str, str] = json.loads(line)
    except ValueError:
        return None
    return found


def _seek(stream: BinaryIO, size: int, start: str) -> None:
    """Go to a line shortly before the first at or after `start`, by halving: a long log is not read whole."""
    low, high = 0, size
    while high - low > 65_536:
        middle = (low + high) // 2
        stream.seek(middle)
        stream.readline()
        line = _parsed(stream.readline())
        if line is not None and line["timestamp"] < start:
            low = middle
        else:
            high = middle
    stream.seek(low)
    if low:
        stream.readline()


def _between(path: Path, start: str, end: str) -> Iterator[dict[str, str]]:
    with path.open("rb") as stream:
        _seek(stream, path.stat().st_size, start)
        for raw in stream:
            line = _parsed(raw)
            if line is None or line["timestamp"] < start:
                continue
            if line["timestamp"] > end:
                return
            yield line


def read(path: Path, *, start: str, end: str, top: int, descending: bool) -> list[dict[str, str]]:
    """At most `top` lines with start <= timestamp <= end, the oldest first, or the newest first."""
    if not path.exists():
        return []
    lines = _between(path, start, end)
    if descending:
        return list(deque(lines, maxlen=top))[::-1]
    return [line for line, _ in zip(lines, range(top), strict=False)]
