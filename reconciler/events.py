"""What happens during an apply, told through one callback to a terminal, a log or a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from reconciler.clock import Clock

__all__ = ["Event", "EventKind", "Listener"]

#: The log is turned over at this size, bytes; one older part is kept.
LOG_BYTES = 2_000_000


class EventKind(StrEnum):
    """What an event tells."""

    CHECKED = "checked"  #: a dataset has passed its check
    WARNING = "warning"  #: something in the plan deserves a look
    STAGE = "stage"  #: a stage begins
    STARTED = "started"  #: a change begins
    UPLOADING = "uploading"  #: data: files_done, files, bytes_done, bytes
    WAITING = "waiting"  #: for AI Core
    DONE = "done"  #: a change is in place; data: id
    RUNNING = "running"  #: progress of an execution; data: see `watch.Progress`
    ENDED = "ended"  #: an execution has ended; data: status
    FAILED = "failed"  #: a change could not be made


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one address. Never holds a secret's value."""

    time: datetime
    kind: EventKind
    address: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "time": self.time.isoformat(),
            "kind": self.kind.value,
            "address": self.address,
            "message": self.message,
            **({"data": dict(self.data)} if self.data else {}),
        }


Listener = Callable[[Event], None]


class Emitter:
    """Stamps events and hands them to every listener in order."""

    def __init__(self, clock: Clock, *listeners: Listener) -> None:
        self._clock, self._listeners = clock, listeners

    def __call__(self, kind: EventKind, address: str, message: str, /, **data: Any) -> None:
        event = Event(self._clock.now(), kind, address, message, data)
        for listener in self._listeners:
            listener(event)


class EventLog:
    """Listener that appends JSON lines to a bounded file; progress ticks are left out."""

    _TICKS = frozenset({EventKind.UPLOADING, EventKind.RUNNING})

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        if event.kind in self._TICKS:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size > LOG_BYTES:
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event.document(), ensure_ascii=False) + "\n")
