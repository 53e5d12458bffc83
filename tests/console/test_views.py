"""Lists, filters, pages, and how times are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import text, views
from console.port import AddressRow, Execution, LogLine, Progress

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def execution(number: int, status: str = "COMPLETED", **times: datetime) -> Execution:
    """Execution `number`, created that many minutes ago."""
    created = NOW - timedelta(minutes=number)
    return Execution(
        f"e{number:04}",
        f"run-{number}",
        status,
        created,
        started_at=times.get("started"),
        completed_at=times.get("completed"),
    )


def test_health_that_needs_somebody_is_counted_first() -> None:
    """Degraded before progressing before healthy."""
    rows = [
        AddressRow(str(i), "Synced", health)
        for i, health in enumerate(["Healthy", "Progressing", "Degraded", "Healthy"])
    ]
    counts = [(one.state, one.count) for one in views.health_counts(rows)]
    assert counts == [("Degraded", 1), ("Progressing", 1), ("Healthy", 2)]


def test_newest_executions_come_first() -> None:
    """The run just started is what one looks for."""
    found = views.execution_page([execution(5), execution(1), execution(3)], status="", query="", page=1)
    assert [one.id for one in found.rows] == ["e0001", "e0003", "e0005"]


def test_status_and_text_narrow_the_list() -> None:
    """Both filters hold together, and the choice of statuses stays complete."""
    runs = [execution(1, "DEAD"), execution(2), execution(12)]
    found = views.execution_page(runs, status="COMPLETED", query="RUN-1", page=1)
    assert [one.id for one in found.rows] == ["e0012"]
    assert found.statuses == ("COMPLETED", "DEAD")


@given(st.integers(0, 3 * views.PAGE_SIZE), st.integers(-5, 9))
def test_any_page_number_shows_a_real_page(count: int, page: int) -> None:
    """A page past the end, or a negative one, is answered by the nearest that exists."""
    found = views.execution_page([execution(i) for i in range(count)], status="", query="", page=page)
    assert 1 <= found.page <= found.pages
    assert bool(found.rows) is bool(count)


def test_pages_together_hold_every_execution_once() -> None:
    """Nothing falls between two pages."""
    runs = [execution(i) for i in range(2 * views.PAGE_SIZE + 7)]
    pages = [views.execution_page(runs, status="", query="", page=page).rows for page in (1, 2, 3)]
    assert sorted(one.id for page in pages for one in page) == sorted(one.id for one in runs)


@pytest.mark.parametrize(
    ("run", "length"),
    [
        (execution(9, completed=NOW - timedelta(minutes=2)), timedelta(minutes=7)),
        (execution(9, started=NOW - timedelta(minutes=5), completed=NOW), timedelta(minutes=5)),
        (execution(9, "RUNNING", started=NOW - timedelta(minutes=4)), timedelta(minutes=4)),
        (execution(9, "DEAD"), None),
    ],
    ids=["from creation", "from start", "still running", "end unknown"],
)
def test_run_time(run: Execution, length: timedelta | None) -> None:
    """An end that AI Core does not tell is not guessed."""
    assert views.run_time(run, NOW) == length


def test_a_long_log_shows_its_end_and_says_so() -> None:
    """The newest line is last, and the number of hidden lines is told."""
    lines = [LogLine(None, str(i)) for i in range(views.LOG_LINES + 3)]
    shown, hidden = views.log_tail(lines)
    assert (shown[-1].message, len(shown), hidden) == (str(views.LOG_LINES + 2), views.LOG_LINES, 3)


def test_log_text_has_time_and_message() -> None:
    """The download is plain text with one line for each."""
    assert views.log_text([LogLine(NOW, "a"), LogLine(None, "b")]) == "2026-11-22T12:00:00.000+00:00 a\nb\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (48, "48 s"),
        (125, "2 min 5 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (90_000, "1 d 1 h"),
        (86_460, "1 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: int, said: str) -> None:
    """Precision nobody asked for is left out."""
    assert text.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("ago", "said"),
    [(-5, "just now"), (0, "just now"), (59, "59 s ago"), (3599, "59 min ago"), (86_400 * 3, "3 d ago")],
)
def test_ages_have_one_unit(ago: int, said: str) -> None:
    """A clock that runs ahead gives no negative age."""
    assert text.age(NOW - timedelta(seconds=ago), NOW) == said


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("COMPLETED", "good"),
        ("Healthy", "good"),
        ("RUNNING", "busy"),
        ("OutOfSync", "warn"),
        ("DEAD", "bad"),
        ("Whatever", "plain"),
    ],
)
def test_states_have_a_tone(state: str, tone: str) -> None:
    """Words of AI Core and of the reconciler are coloured alike; unknown words stay plain."""
    assert text.tone(state) == tone


@given(st.lists(st.text(max_size=8), max_size=6))
def test_natural_order_is_total(names: list[str]) -> None:
    """Any two names can be compared, digits or not."""
    for first in names:
        for second in names:
            one, other = text.natural(first), text.natural(second)
            assert (one < other) + (one == other) + (one > other) == 1


def test_natural_order_counts() -> None:
    """Class 2 stands before class 10."""
    assert sorted(["mAP/10", "mAP/2"], key=text.natural) == ["mAP/2", "mAP/10"]


def test_remaining_time_needs_a_progress_with_an_eta() -> None:
    """Without an ETA nothing is promised."""
    assert views.remaining(None) is None
    assert views.remaining(Progress(1, 2, 0.5)) is None
    assert views.remaining(Progress(1, 2, 0.5, eta_seconds=61)) == timedelta(seconds=61)
