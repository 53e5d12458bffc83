"""When executions may be started: windows of time, and hours on GPU machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.operations import Window
from reconciler.policy import Span, hours_in_a_day, launch_gate, starts

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)  # the clocks of Berlin change on the 29th


def window(kind: str, cron: str, duration: str = "10h", zone: str = "UTC") -> Window:
    fields: dict[str, Any] = {"kind": kind, "cron": cron, "duration": duration, "timeZone": zone}
    return Window.model_validate(fields)


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("cron", "moment", "expected"),
    [
        ("0 20 * * 1-5", at(20), True),
        ("0 20 * * 1-5", at(20, 1), False),
        ("0 20 * * 1-5", at(20, day=5), False),
        ("*/15 * * * *", at(3, 45), True),
        ("*/15 * * * *", at(3, 46), False),
        ("5-59/10 8,9 * * *", at(9, 25), True),
        ("5-59/10 8,9 * * *", at(9, 26), False),
        ("30/10 0 * * *", at(0, 50), True),
        ("0 0 * * 0", at(0, day=6), True),
        ("0 0 * * 7", at(0, day=6), True),
        ("0 0 13 * 1", at(0), True),  # a day of the month or a day of the week
        ("0 0 13 * 1", at(0, day=11), True),
        ("0 0 13 * 1", at(0, day=12), False),
        ("0 0 1 4 *", at(0), False),
    ],
)
def test_a_cron_expression_fits_a_minute(cron: str, moment: datetime, expected: bool) -> None:
    assert starts(cron, moment) is expected


def test_without_windows_everything_may_start() -> None:
    assert launch_gate((), MONDAY).open


def test_an_allowed_window_opens_and_closes() -> None:
    windows = (window("allow", "0 20 * * 1-5"),)
    closed = launch_gate(windows, at(19, 59))
    assert (closed.open, closed.opens) == (False, at(20))
    assert "outside" in closed.why
    assert launch_gate(windows, at(20)).open
    assert launch_gate(windows, at(5, 59, day=1)).open
    assert not launch_gate(windows, at(6, day=1)).open


def test_a_denied_window_wins_and_says_when_it_ends() -> None:
    windows = (window("allow", "0 0 * * *", "24h"), window("deny", "0 8 * * *", "2h"))
    gate = launch_gate(windows, at(9))
    assert (gate.open, gate.opens) == (False, at(10))
    assert gate.why == "inside the denied window `0 8 * * *`"
    assert launch_gate(windows, at(10)).open


def test_a_window_follows_the_clocks_of_its_place() -> None:
    """Twenty o'clock in Berlin is another hour in UTC after the clocks have changed."""
    windows = (window("allow", "0 20 * * *", "1h", "Europe/Berlin"),)
    assert launch_gate(windows, datetime(2026, 3, 28, 19, 0, tzinfo=UTC)).open
    assert not launch_gate(windows, datetime(2026, 3, 29, 19, 0, tzinfo=UTC)).open
    assert launch_gate(windows, datetime(2026, 3, 29, 18, 0, tzinfo=UTC)).open


def test_a_window_that_never_opens_has_no_next_time() -> None:
    gate = launch_gate((window("allow", "0 0 31 2 *"),), MONDAY)
    assert (gate.open, gate.opens) == (False, None)


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(1, 47),
    st.integers(0, 60 * 24 * 40),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_where_a_gate_opens_it_is_open_and_a_minute_before_it_is_not(
    minute: int, hour: int, hours: int, offset: int, zone: str
) -> None:
    """Whatever the window, the place and the moment."""
    windows = (window("allow", f"{minute} {hour} * * *", f"{hours}h", zone),)
    now = MONDAY.astimezone(ZoneInfo(zone)) + timedelta(minutes=offset)
    gate = launch_gate(windows, now)
    if gate.opens is not None:
        assert launch_gate(windows, gate.opens).open
        assert not launch_gate(windows, gate.opens - timedelta(minutes=1)).open
    else:
        assert gate.open


def test_only_the_last_day_counts() -> None:
    now = at(0)
    spans = [Span(now - 30 * HOUR, now - 20 * HOUR), Span(now - 40 * HOUR, now - 25 * HOUR)]
    assert hours_in_a_day(spans, now) == 4


def test_a_run_under_way_counts_with_what_it_may_still_take() -> None:
    now = at(0)
    assert hours_in_a_day([Span(now - HOUR, None)], now) == 1
    assert hours_in_a_day([Span(now - HOUR, None, limit=6 * HOUR)], now) == 6
    assert hours_in_a_day([Span(now - 2 * HOUR, None, limit=HOUR)], now) == 2
