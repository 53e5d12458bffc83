"""What `corespec status --watch` shows: a table that lives on a terminal, changes in a log."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from corespec.__main__ import main
from corespec.watching import changes, picture, watch_status
from reconciler.errors import AuthenticationError, TransientError
from reconciler.health import Health, Reason, Sync
from reconciler.status import Status, StatusRow

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = StatusRow("execution/tiny/baseline", Sync.SYNCED, Health.PROGRESSING, Reason.RUNNING, "step 3", NOW)
BEFORE = Status("local", NOW, "a" * 40, (ROW,))
DONE = replace(ROW, health=Health.HEALTHY, reason=Reason.COMPLETED, message="", best=0.96)
AFTER = replace(BEFORE, rows=(DONE,))


def _looks(*looks: Status | Exception) -> tuple[Callable[[], Status], Callable[[float], None]]:
    """A look and a sleep: after the last look comes Ctrl-C."""
    left: Iterator[Status | Exception] = iter(looks)

    def look() -> Status:
        found = next(left, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, Exception):
            raise found
        return found

    return look, lambda _: None


def _logged(*looks: Status | Exception) -> str:
    stream = io.StringIO()
    watch_status(*_interleave(looks, Console(file=stream, width=120)))
    return stream.getvalue()


def _interleave(
    looks: tuple[Status | Exception, ...], console: Console
) -> tuple[Callable[[], Status], Console, float, Callable[[float], None]]:
    look, sleep = _looks(*looks)
    return look, console, 5.0, sleep


def test_a_log_has_everything_once_and_then_what_changes() -> None:
    """Looks that find the same say nothing; Ctrl-C ends without an error."""
    lines = _logged(BEFORE, BEFORE, AFTER, AFTER).splitlines()
    assert lines[0].startswith("ADDRESS")
    assert lines[-1] == (
        "2026-01-02 03:04:05Z execution/tiny/baseline: Synced Healthy Completed mAP/allClasses 0.960"
    )
    assert len(lines) == 5


def test_a_look_that_fails_is_said_once_and_tried_again() -> None:
    """Unreadable is not missing: no row is lost; a failure that does not pass ends the watch."""
    text = _logged(BEFORE, TransientError("away"), TransientError("away"), AFTER)
    assert text.count("cannot be read now, and is asked again: away") == 1
    assert "Healthy Completed" in text
    with pytest.raises(AuthenticationError):
        _logged(BEFORE, AuthenticationError("no"))


def test_rows_come_and_go() -> None:
    """A new address and one that nobody wants any more."""
    other = replace(ROW, address="execution/tiny/other")
    assert [line.partition("Z ")[2] for line in changes(BEFORE, replace(BEFORE, rows=(other,)))] == [
        "execution/tiny/other: Synced Progressing Running step 3",
        "execution/tiny/baseline: no longer wanted",
    ]


def test_the_table_has_the_rows_of_status() -> None:
    """Address, sync, health, reason, message, age, metric; and what could not be read."""
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(picture(AFTER))
    console.print(picture(replace(BEFORE, rows=(ROW,)), "away"))
    text = console.export_text()
    for part in ("execution/tiny/baseline", "Synced", "Completed", "0.960", "step 3", "asked again: away"):
        assert part in text


def test_a_terminal_gets_a_live_table() -> None:
    """And is left whole."""
    stream = io.StringIO()
    watch_status(*_interleave((BEFORE, AFTER), Console(file=stream, width=120, force_terminal=True)))
    text = stream.getvalue()
    assert "Progressing" in text
    assert "0.960" in text
    assert text.endswith("\x1b[?25h")  # the cursor is shown again


def test_watching_is_no_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 2 before anything is read."""
    assert main(["status", "-C", str(tmp_path), "--watch", "-o", "json"]) == 2
    assert "--watch is for people" in capsys.readouterr().err
