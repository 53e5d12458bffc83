"""The daemon's log: one line for each event, whatever the event says."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reconciler.events import Event, EventKind
from reconciler.journal import Journal
from tests.reconciler.fake import FakeClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lines(form: str, *events: Event) -> list[str]:
    stream = io.StringIO()
    journal = Journal(stream, form, FakeClock(NOW))  # type: ignore[arg-type]
    journal.round, journal.commit = "0badcafe", "c" * 40
    for event in events:
        journal.hear(event)
    return stream.getvalue().splitlines()


def test_a_line_for_programs() -> None:
    event = Event(NOW, EventKind.DONE, "execution/m/a", "baseline", {"id": "e1", "action": "launch", "x": 1})
    (line,) = lines("json", event)
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.000+00:00",
        "level": "info",
        "event": "done",
        "address": "execution/m/a",
        "round": "0badcafe",
        "commit": "c" * 40,
        "message": "baseline",
        "id": "e1",
        "action": "launch",
    }


def test_a_line_for_people() -> None:
    (line,) = lines("text", Event(NOW, EventKind.FAILED, "execution/m/a", "no\n  Try again."))
    assert line == (
        "2026-01-01T00:00:00.000+00:00 error   failed 0badcafe cccccccccc execution/m/a: no | Try again."
    )


def test_a_line_without_a_place_or_a_message_has_no_gaps() -> None:
    stream = io.StringIO()
    journal = Journal(stream, "text", FakeClock(NOW))
    journal.write("info", "started", "")
    journal.write("info", "stopped", "asked to end")
    assert [line[38:] for line in stream.getvalue().splitlines()] == ["started", "stopped: asked to end"]


def test_progress_is_no_event() -> None:
    assert lines("json", Event(NOW, EventKind.UPLOADING, "dataset/m/d", "1 of 2")) == []


@given(st.text(), st.text())
def test_nobody_writes_a_line_of_their_own(address: str, message: str) -> None:
    """A name from a spec or an answer of a server with line ends or control characters stays in its line."""
    event = Event(NOW, EventKind.DONE, address, message)
    for form in ("text", "json"):
        assert len(lines(form, event)) == 1
    assert json.loads(lines("json", event)[0])["message"] == message
