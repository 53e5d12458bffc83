"""What happens during an apply, told through one callback to a terminal, a log or a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from generator.errors import GeneratorError
from reconciler.clock import Clock
from reconciler.errors import LockHeldError, ReconcilerError

if TYPE_CHECKING:
    from reconciler.status import StatusRow

__all__ = ["Event", "EventKind", "Listener"]


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


Listener = Callable[[Event], None]


class StateLog(Protocol):
    """Writes down the states of objects; `revision` is the commit that they are about."""

    revision: str

    def note(self, rows: Iterable[StatusRow], now: datetime) -> None:
        """How the objects stand, after a round that ended well."""
        ...

    def failed(self, error: Exception, now: datetime) -> None:
        """A whole round failed."""
        ...


class Emitter:
    """Stamps events and hands them to every listener in order."""

    def __init__(self, clock: Clock, *listeners: Listener, log: StateLog | None = None) -> None:
        """`log`: where the states of objects are written down, too."""
        self._clock, self._listeners, self._log = clock, listeners, log

    def __call__(self, kind: EventKind, address: str, message: str, /, **data: Any) -> None:
        event = Event(self._clock.now(), kind, address, message, data)
        for listener in self._listeners:
            listener(event)

    def at(self, revision: str) -> None:
        """Say which commit's specs the events from now on are about."""
        if self._log is not None:
            self._log.revision = revision

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Write down what ends a round in here. A lock that another writer holds is no failure."""
        try:
            yield
        except (ReconcilerError, GeneratorError) as error:
            if self._log is not None and not isinstance(error, LockHeldError):
                self._log.failed(error, self._clock.now())
            raise

    def states(self, rows: Sequence[StatusRow]) -> None:
        """Tell how the objects stand."""
        if self._log is not None:
            self._log.note(rows, self._clock.now())
