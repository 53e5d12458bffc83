"""When the daemon works. No test waits: time and chance are given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.loop import (
    BREATH,
    JITTER,
    LONGEST_RETRY_AFTER,
    Bell,
    DaemonClock,
    Ended,
    Ending,
    Loop,
    Pace,
    Schedule,
    StopRequestedError,
    following,
)

PACE = Pace(interval=300, retry_interval=30)
FAILED = Ended(Ending.TRANSIENT)

seconds = st.floats(min_value=1, max_value=1e6)
chances = st.floats(min_value=0, max_value=1, exclude_max=True)
paces = st.builds(Pace, seconds, seconds)
ends = st.builds(
    Ended,
    st.sampled_from(Ending),
    st.none() | st.floats(min_value=-10, max_value=1e9),
    st.none() | st.floats(min_value=-10, max_value=1e6),
)
befores = st.builds(Schedule, due=seconds, called=seconds, failures=st.integers(min_value=0, max_value=10**6))


@given(befores, ends, paces, st.floats(min_value=0, max_value=1e6), chances)
def test_the_next_round_is_neither_early_nor_late(
    before: Schedule, ended: Ended, pace: Pace, now: float, chance: float
) -> None:
    """Never before a Retry-After, called or not; never later than interval and jitter, or Retry-After."""
    after = following(before, ended, pace, now, chance)
    asked = min(max(ended.retry_after or 0, 0), LONGEST_RETRY_AFTER)
    assert after.due >= now + asked
    assert now + asked <= after.called <= after.due
    assert after.due <= now + max(pace.interval * (1 + JITTER), asked, BREATH) + 1e-3
    assert after.due >= now + BREATH


@given(paces, st.floats(min_value=0, max_value=1e6), chances)
def test_what_fails_for_good_is_not_tried_before_the_interval(pace: Pace, now: float, chance: float) -> None:
    """Without a call (a commit) the same content waits for the interval, however often it has failed."""
    after = following(Schedule(0, 0, 5), Ended(Ending.TERMINAL), pace, now, chance)
    assert after.due >= now + pace.interval * (1 - JITTER) - 1e-3
    assert after.failures == 0


@given(paces, st.integers(min_value=1, max_value=10**9))
def test_backoff_grows_up_to_the_interval(pace: Pace, failures: int) -> None:
    assert min(pace.retry_interval, pace.interval) <= pace.backoff(failures) <= pace.interval
    assert pace.backoff(failures) <= pace.backoff(failures + 1)


class FakeTime:
    """A timer that jumps; `at` holds what happens at which second."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.at: dict[float, Callable[[], None]] = {}

    def monotonic(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        assert seconds > 0, "a wait for nothing is a busy loop"
        end = self.time + seconds
        happens = min((moment for moment in self.at if moment <= end), default=None)
        if happens is None:
            self.time = end
        else:
            self.time = happens
            self.at.pop(happens)()


def rounds(
    endings: list[Ended], happenings: dict[float, str] | None = None, pace: Pace = PACE, lasting: float = 0.0
) -> list[float]:
    """Seconds from the start at which each round began, without jitter."""
    bell, timer, began = Bell(), FakeTime(), list[float]()
    for moment, what in (happenings or {}).items():
        timer.at[1000 + moment] = getattr(bell, what)

    def work() -> Ended:
        began.append(timer.time - 1000)
        if len(began) == len(endings):
            bell.stop()
        timer.time += lasting
        return endings[len(began) - 1]

    Loop(work, lambda: pace, bell, timer, lambda: 0.5).run()
    return began


OK = Ended(Ending.OK)


def test_rounds_at_the_interval() -> None:
    assert rounds([OK] * 3) == [0, 300, 600]


def test_the_interval_is_between_rounds() -> None:
    """A round that takes longer than the interval is not followed by another at once."""
    assert rounds([OK] * 3, lasting=1000) == [0, 1300, 2600]


def test_failures_back_off_and_a_success_ends_that() -> None:
    assert rounds([FAILED] * 6 + [OK, FAILED, OK]) == [0, 30, 90, 210, 450, 750, 1050, 1350, 1380]


def test_a_held_lock_is_waited_for_like_a_failure_that_passes() -> None:
    assert rounds([Ended(Ending.LOCKED)] * 3) == [0, 30, 90]


def test_retry_after_wins_over_backoff_and_calls() -> None:
    """Who was asked to wait 120 s does, although a webhook calls after 5."""
    busy = Ended(Ending.TRANSIENT, retry_after=120)
    assert rounds([busy, OK, OK], {5: "call"}) == [0, 120, 420]


def test_a_call_starts_a_round_at_once() -> None:
    assert rounds([OK] * 3, {50: "call"}) == [0, 50, 350]


def test_a_call_wakes_what_fails_for_good() -> None:
    """The commit that mends it is not kept waiting."""
    assert rounds([Ended(Ending.TERMINAL), OK], {50: "call"}) == [0, 50]


def test_calls_in_a_row_are_one_round() -> None:
    assert rounds([OK] * 3, {50.0: "call", 50.2: "call", 50.4: "call"}) == [0, 50, 51]


def test_an_object_that_failed_is_due_before_the_interval() -> None:
    assert rounds([Ended(Ending.OK, object_due=40), OK, OK]) == [0, 40, 340]


def test_stop_ends_the_wait() -> None:
    assert rounds([OK] * 3, {100: "stop"}) == [0]


def test_stop_ends_the_loop_within_a_round() -> None:
    bell, timer = Bell(), FakeTime()

    def work() -> Ended:
        raise StopRequestedError

    Loop(work, lambda: PACE, bell, timer, lambda: 0.5).run()
    assert timer.time == 1000


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def test_a_wait_within_a_round_ends_with_the_daemon_and_not_with_a_call() -> None:
    """SIGTERM is heard in the midst of a back-off of ten hours; a webhook does not shorten it."""
    bell = Bell()
    clock = DaemonClock(bell, StillClock())
    bell.call()
    threading.Timer(0.05, bell.stop).start()
    with pytest.raises(StopRequestedError):
        clock.sleep(36000)
    assert bell.called


def test_nothing_is_written_after_the_stop() -> None:
    bell = Bell()
    clock = DaemonClock(bell, StillClock())
    clock.check()
    bell.stop()
    with pytest.raises(StopRequestedError):
        clock.check()
