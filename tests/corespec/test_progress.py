"""What a person sees while an apply is at work."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rich.console import Console

from corespec.progress import LINE_SECONDS, Display, panel
from reconciler.events import Event, EventKind
from reconciler.watch import Progress

LOOK = Progress(
    "e1f0",
    "baseline",
    "RUNNING",
    stage="train",
    step=250,
    total_steps=1000,
    fraction=0.25,
    eta_seconds=187.0,
    loss=1.2345,
    mean_ap=0.871,
)


class Clock:
    """A clock that only the test moves, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _event(kind: EventKind, message: str = "", data: Mapping[str, Any] = MappingProxyType({})) -> Event:
    return Event(datetime(2026, 1, 1, tzinfo=UTC), kind, "execution/tiny/baseline", message, data)


def _look(look: Progress) -> Event:
    return _event(EventKind.ENDED if look.ended else EventKind.RUNNING, "", look.document())


def _logged() -> tuple[Display, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return Display(Console(file=stream, width=120), clock), stream, clock


def test_the_panel_shows_every_figure_of_every_execution() -> None:
    """The terminal's panel holds the bar, the time left, loss and mAP; a dead one says why."""
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(panel([LOOK, Progress("e2", "sweep", "DEAD", message="no pictures")]))
    text = console.export_text()
    for part in (
        "baseline",
        "RUNNING",
        "25% 250/1000",
        "3m07s left",
        "loss 1.234",
        "mAP 0.871",
        "no pictures",
    ):
        assert part in text


def test_a_log_repeats_an_execution_only_after_a_while() -> None:
    """Without a terminal the same state is said again every LINE_SECONDS: no flood, no silence."""
    display, stream, clock = _logged()
    with display:
        display(_look(LOOK))
        clock.now = LINE_SECONDS / 2
        display(_look(replace(LOOK, step=260)))
        assert len(stream.getvalue().splitlines()) == 1
        clock.now = LINE_SECONDS
        display(_look(replace(LOOK, step=270)))
    assert len(stream.getvalue().splitlines()) == 2


def test_a_change_of_state_is_said_at_once() -> None:
    """The end of an execution is not held back by the pace of the log."""
    display, stream, _ = _logged()
    with display:
        display(_look(LOOK))
        display(_look(replace(LOOK, stage="test")))
        display(_look(replace(LOOK, status="COMPLETED")))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "completed" in lines[-1]


def test_every_step_is_a_line_and_uploads_are_counted() -> None:
    """What was begun, how much of it has gone over, and that it is done can be read in a log."""
    display, stream, _ = _logged()
    with display:
        display(_event(EventKind.STAGE, "1 to do"))
        display(_event(EventKind.STARTED, "the store does not hold it"))
        sizes = {"files_done": 1, "files": 2, "bytes_done": 1_000_000, "bytes": 2_000_000}
        display(_event(EventKind.UPLOADING, data=sizes | {"rate": 500_000.0, "eta_seconds": 2.0}))
        display(_event(EventKind.DONE, "ai://default/x"))
    assert stream.getvalue().splitlines() == [
        "· execution/tiny/baseline: the store does not hold it",
        "· execution/tiny/baseline: 1/2 files, 1.0 of 2.0 MB, 0.5 MB/s, 2s left",
        "✓ execution/tiny/baseline: ai://default/x",
    ]


def test_a_terminal_is_left_whole() -> None:
    """The cursor that the live panel hides is shown again, also after an error."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=30)
    try:
        with Display(console) as display:
            display(_look(LOOK))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert stream.getvalue().endswith("\x1b[?25h")


def test_an_upload_has_a_bar_on_a_terminal() -> None:
    """With its rate and the time left; gone when the upload is done."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=30)
    sizes = {"files_done": 1, "files": 2, "bytes_done": 1_000_000, "bytes": 2_000_000}
    with Display(console) as display:
        display(_event(EventKind.UPLOADING, data=sizes | {"rate": 500_000.0, "eta_seconds": 2.0}))
        shown = stream.getvalue()
        display(_event(EventKind.DONE, "ai://default/x"))
    assert "━" in shown
    assert "1/2 files, 1.0 of 2.0 MB, 0.5 MB/s, 2s left" in shown
