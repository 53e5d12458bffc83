"""What a person sees while an execution runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from corespec.progress import LINE_SECONDS, Display, duration, line, panel
from reconciler.watch import Progress

ROW = Progress(
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


def _logged() -> tuple[Display, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return Display(Console(file=stream, width=120), clock), stream, clock


def test_a_line_names_everything_that_is_measured() -> None:
    """Step, time left, loss and mAP stand in one line that a log can be searched for."""
    assert line(ROW) == "baseline e1f0: RUNNING, train, step 250/1000, ETA 3:07, loss 1.234, mAP 0.871"


def test_a_line_of_a_fresh_execution_claims_nothing() -> None:
    """What is not measured yet is left out, not shown as zero."""
    assert line(Progress("e1f0", "baseline", "PENDING")) == "baseline e1f0: PENDING"


def test_the_panel_shows_the_same_figures() -> None:
    """The terminal's panel holds the bar, the time left and the figures of every execution."""
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(panel([ROW, Progress("e2", "sweep", "DEAD", message="no pictures")]))
    text = console.export_text()
    for part in (
        "baseline",
        "RUNNING",
        "25% 250/1000",
        "ETA 3:07",
        "loss 1.234",
        "mAP 0.871",
        "DEAD",
        "no pictures",
    ):
        assert part in text


def test_a_log_repeats_an_execution_only_after_a_while() -> None:
    """Without a terminal the same state is said again every LINE_SECONDS: no flood, no silence."""
    display, stream, clock = _logged()
    with display:
        display.show([ROW])
        clock.now = LINE_SECONDS / 2
        display.show([ROW])
        assert len(stream.getvalue().splitlines()) == 1
        clock.now = LINE_SECONDS
        display.show([ROW])
    assert len(stream.getvalue().splitlines()) == 2


def test_a_change_of_state_is_said_at_once() -> None:
    """COMPLETED is not held back by the pace of the log."""
    display, stream, _ = _logged()
    with display:
        display.show([ROW])
        display.show([Progress("e1f0", "baseline", "COMPLETED")])
    assert stream.getvalue().splitlines()[-1] == "baseline e1f0: COMPLETED"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1:00"), (187, "3:07"), (3729, "1:02:09"), (-3, "0 s")],
)
def test_spans_read_like_a_clock(seconds: float, text: str) -> None:
    """Seconds below a minute, then minutes and hours; never negative."""
    assert duration(seconds) == text
