"""What the daemon writes about itself: one line for each event, for people or for programs.

Lines carry what the reconciler's events and errors carry, and these never hold a secret's value.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Literal, TextIO

from reconciler.clock import Clock
from reconciler.events import Event, EventKind

Form = Literal["text", "json"]
Level = Literal["info", "warning", "error"]

_LEVELS: dict[EventKind, Level] = {EventKind.FAILED: "error", EventKind.WARNING: "warning"}
#: Progress comes many times a second; a log is no progress bar.
_TICKS = frozenset({EventKind.UPLOADING, EventKind.RUNNING})
_SHOWN = ("id", "action", "revision")


class Journal:
    """Writes to one stream; may be used from several threads."""

    def __init__(self, stream: TextIO, form: Form, clock: Clock) -> None:
        self._stream, self._form, self._clock = stream, form, clock
        self._lock = threading.Lock()
        self.round = ""  #: id of the round under way, or of the last one
        self.commit = ""  #: what the checkout holds

    def write(self, level: Level, event: str, message: str, address: str = "", **data: Any) -> None:
        """One line. `event` is a word to filter by; `data` goes into JSON only."""
        line = {
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "address": address,
            "round": self.round,
            "commit": self.commit,
            "message": message,
            **data,
        }
        shown = json.dumps(line) if self._form == "json" else _text(line)
        with self._lock:
            self._stream.write(shown + "\n")
            self._stream.flush()

    def hear(self, event: Event) -> None:
        """A listener for the events of a round."""
        if event.kind not in _TICKS:
            data = {name: event.data[name] for name in _SHOWN if event.data.get(name)}
            level = _LEVELS.get(event.kind, "info")
            self.write(level, event.kind.value, event.message, event.address, **data)


def _text(line: dict[str, Any]) -> str:
    words = (line["event"], line["round"], line["commit"][:10], line["address"])
    said = " | ".join(part.strip() for part in line["message"].splitlines() if part.strip())
    shown = f"{line['time']} {line['level']:<7} {' '.join(filter(None, words))}{': ' if said else ''}{said}"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)
