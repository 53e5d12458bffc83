"""What happened to each object: an append-only file of JSON lines, and the latest five of each object.

A record has the shape of an event of Flux: object, severity, reason, message, revision, timestamp. Equal ones
are counted, as `kubectl get events` does. When the file is full it is put aside, and the new one begins with
the history of every object, so that what happens rarely is not lost to what happens often. Deleting it
changes nothing but what can be looked up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from reconciler.events import Event, EventKind
from reconciler.health import Health
from reconciler.status import StatusRow

__all__ = ["EventLog", "Histories", "Record", "read_records"]

FORMAT_VERSION = "1.0"
#: The file is turned over at this size, bytes; one older part is kept.
LOG_BYTES = 2_000_000
#: Records of one object that are kept and shown.
KEPT = 5
#: States of objects that are written down at most after one round.
_MOST_STATES = 200
_LONGEST_MESSAGE = 2000
_NO_EVENTS = frozenset({EventKind.UPLOADING, EventKind.RUNNING, EventKind.STAGE})
_STATE = "state"
_BAD = frozenset({Health.DEGRADED, Health.UNKNOWN})
_REASONS = {
    EventKind.CHECKED: "Checked",
    EventKind.WARNING: "Warning",
    EventKind.STARTED: "Begun",
    EventKind.WAITING: "Waiting",
    EventKind.FAILED: "Failed",
    EventKind.DONE: "Done",
    EventKind.ENDED: "Ended",
}
_DEEDS = {
    "create": "Created",
    "upload": "Uploaded",
    "sync": "Synced",
    "launch": "Launched",
    "deploy": "Deployed",
    "update": "Updated",
    "stop": "Stopped",
    "prune": "Pruned",
}
Severity = Literal["info", "error"]


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened to one object, and how often: between `first` and `timestamp` `count` times."""

    object: str  #: an address
    severity: Severity
    reason: str
    message: str
    revision: str  #: commit of the specs
    timestamp: datetime
    environment: str
    count: int = 1
    first: datetime | None = None
    kind: str = ""  #: what the reconciler calls it
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Two records with the same key are one that happened twice."""
        return self.severity, self.reason, self.message, self.revision

    def document(self) -> dict[str, Any]:
        first = self.first or self.timestamp
        return {
            "format_version": FORMAT_VERSION,
            "environment": self.environment,
            "object": self.object,
            "severity": self.severity,
            "reason": self.reason,
            "message": self.message[:_LONGEST_MESSAGE],
            "revision": self.revision,
            "timestamp": self.timestamp.isoformat(),
            "first_timestamp": first.isoformat(),
            "count": self.count,
            "kind": self.kind,
            **({"data": dict(self.data)} if self.data else {}),
        }


class Histories:
    """The latest KEPT records of each object, by environment and address, oldest first; equal ones are one.

    A deed that began counts only while nothing is known of how it ended: the process was killed, or is at it.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._found: dict[tuple[str, str], dict[tuple[str, str, str, str], Record]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """One that came after all others."""
        own = self._found.setdefault((record.environment, record.object), {})
        for key in [key for key, one in own.items() if one.kind == EventKind.STARTED.value]:
            del own[key]
        before = own.pop(record.key, None)
        if before is not None:
            first = before.first or before.timestamp
            record = replace(record, count=before.count + record.count, first=first)
        own[record.key] = record
        while len(own) > KEPT:
            del own[next(iter(own))]

    def of(self, environment: str, address: str) -> tuple[Record, ...]:
        """The history of one object."""
        return tuple(self._found.get((environment, address), {}).values())

    def every(self) -> tuple[Record, ...]:
        """All histories in one, by time."""
        records = (record for own in self._found.values() for record in own.values())
        return tuple(sorted(records, key=lambda record: record.timestamp))


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file, in their order. A line that is none, because a crash cut it, is left out."""
    try:
        with path.open("rb") as stream:
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield _record(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _record(item: Mapping[str, Any]) -> Record:
    return Record(
        object=str(item["object"]),
        severity="error" if item["severity"] == "error" else "info",
        reason=str(item["reason"]),
        message=str(item["message"]),
        revision=str(item["revision"]),
        timestamp=datetime.fromisoformat(item["timestamp"]),
        environment=str(item["environment"]),
        count=int(item.get("count", 1)),
        first=datetime.fromisoformat(item["first_timestamp"]) if "first_timestamp" in item else None,
        kind=str(item.get("kind", "")),
        data=dict(item.get("data") or {}),
    )


class EventLog:
    """Listener that appends what it hears to a bounded file; progress ticks and stages are left out."""

    def __init__(self, path: Path, environment: str) -> None:
        self._path, self._environment = path, environment
        self._known: Histories | None = None  # read once; what this process writes is added
        self.revision = ""  #: commit of the specs that are being applied

    def __call__(self, event: Event) -> None:
        if event.kind not in _NO_EVENTS:
            self._append([self._of(event)])

    def note(self, rows: Iterable[StatusRow], now: datetime) -> None:
        """Write down what is wrong, and what has changed with the objects that were heard of before."""
        if self._known is None:
            self._known = Histories(read_records(self._path))
        news = []
        whole = self._known.of(self._environment, f"environment/{self._environment}")
        if whole and whole[-1].severity == "error":
            news.append(self._whole("info", "Recovered", "ended well again", now))
        for row in rows:
            before = self._known.of(self._environment, row.address)
            bad = row.health in _BAD
            if not _is_news(row, before[-1] if before else None, bad=bad):
                continue
            said = row.message or f"{row.health.value}: {row.reason.value}"
            severity: Severity = "error" if bad else "info"
            state = (row.address, severity, row.reason.value, said, self.revision, now, self._environment)
            news.append(Record(*state, kind=_STATE))
        self._append(news[:_MOST_STATES])

    def failed(self, error: Exception, now: datetime) -> None:
        """Write down that a whole round failed."""
        self._append([self._whole("error", type(error).__name__, str(error), now)])

    def _whole(self, severity: Severity, reason: str, message: str, now: datetime) -> Record:
        """About everything at once, as messages name it."""
        address = f"environment/{self._environment}"
        return Record(address, severity, reason, message, self.revision, now, self._environment, kind=_STATE)

    def _of(self, event: Event) -> Record:
        reason = _REASONS.get(event.kind, event.kind.value.capitalize())
        if event.kind is EventKind.DONE:
            reason = _DEEDS.get(str(event.data.get("action", "")), reason)
        elif event.kind is EventKind.ENDED:
            reason = str(event.data.get("status") or reason).capitalize()
        bad = event.kind is EventKind.FAILED or (event.kind is EventKind.ENDED and reason == "Dead")
        return Record(
            object=event.address,
            severity="error" if bad else "info",
            reason=reason,
            message=event.message,
            revision=self.revision,
            timestamp=event.time,
            environment=self._environment,
            kind=event.kind.value,
            data=event.data,
        )

    def _append(self, records: Sequence[Record]) -> None:
        lines = b"".join(_line(record) for record in records)
        if not lines:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._turn_over()
        number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(number, lines)  # at once: another process may write between two
        finally:
            os.close(number)
        if self._known is not None:
            for record in records:
                self._known.add(record)

    def _turn_over(self) -> None:
        """A full file is put aside; its history, the newest first, begins the next one."""
        if not _full(self._path):
            return
        with FileLock(f"{self._path}.lock"):
            if not _full(self._path):
                return  # somebody else has done it
            room, begin = LOG_BYTES // 2, list[bytes]()
            for record in reversed(Histories(read_records(self._path)).every()):
                line = _line(record)
                room -= len(line)
                if room < 0:
                    break
                begin.insert(0, line)
            fresh = self._path.with_suffix(".new.jsonl")
            fresh.write_bytes(b"".join(begin))
            self._path.replace(self._path.with_suffix(".1.jsonl"))
            fresh.replace(self._path)


def _is_news(row: StatusRow, last: Record | None, *, bad: bool) -> bool:
    """Something is wrong for another reason than before; it is well again; a run or a server has gone on."""
    if last is None or last.reason == row.reason.value:
        return bad and last is None
    followed = row.address.startswith(("execution/", "deployment/"))
    return bad or followed or last.severity == "error" or last.kind == _STATE


def _full(path: Path) -> bool:
    return path.exists() and path.stat().st_size > LOG_BYTES


def _line(record: Record) -> bytes:
    return json.dumps(record.document(), ensure_ascii=False).encode() + b"\n"
