"""When the daemon works: a pure rule for the next round, and the loop that keeps to it.

Time is monotonic seconds and chance is a parameter, so that no test waits and no clock that somebody sets
back stops the daemon.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import Protocol

from reconciler.clock import Clock

#: Rounds come at the interval, this share of it earlier or later: a fleet must not knock all at once.
JITTER = 0.1
#: What a server may ask for with Retry-After at most, seconds; beyond it the server is asked again.
LONGEST_RETRY_AFTER = 3600.0
#: Between the end of a round and one that was called for, seconds: calls in a row become one round.
BREATH = 1.0
#: Longest wait without a sign of life, seconds.
TICK = 15.0


class StopRequestedError(Exception):
    """The daemon was told to end: nothing more is written. Not a failure of anything."""


class Ending(StrEnum):
    """How a round ended; also the `result` of `corespec_reconcile_total`."""

    OK = "ok"  #: carried out; whether all is healthy is another question
    TRANSIENT = "transient"  #: the same round may succeed later
    TERMINAL = "terminal"  #: the same content fails again: the next commit, or the interval
    LOCKED = "locked"  #: another writer is at work


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished round. `retry_after`: what the server asked for; `object_due`: when the first object that
    failed is tried again; both seconds from now, None where there is none.
    """

    ending: Ending
    retry_after: float | None = None
    object_due: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """`daemon.interval` and `daemon.retryInterval`, seconds."""

    interval: float
    retry_interval: float

    def backoff(self, failures: int) -> float:
        """The pause after that many failures in a row (1 or more): doubled each time, up to the interval."""
        doublings = min(failures - 1, 62)  # more than any interval that can be written, and no overflow
        return min(self.retry_interval * 2.0**doublings, self.interval)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the next round is due, in monotonic seconds; `called` is when it is due if somebody calls."""

    due: float
    called: float
    failures: int = 0  #: rounds in a row that may succeed later


def following(before: Schedule, ended: Ended, pace: Pace, now: float, chance: float) -> Schedule:
    """The round after one that ended at `now`. `chance`: uniform in [0, 1). Pure.

    Never before a Retry-After (up to LONGEST_RETRY_AFTER), called or not; never later than the interval and
    its jitter, or that Retry-After.
    """
    jitter = 1.0 + JITTER * (2.0 * chance - 1.0)
    failed = ended.ending in {Ending.TRANSIENT, Ending.LOCKED}
    failures = before.failures + 1 if failed else 0
    pause = (pace.backoff(failures) if failed else pace.interval) * jitter
    if ended.object_due is not None:
        pause = min(pause, ended.object_due)
    asked = min(max(ended.retry_after or 0.0, 0.0), LONGEST_RETRY_AFTER)
    return Schedule(
        due=now + max(pause, asked, BREATH),
        called=now + max(asked, BREATH),
        failures=failures,
    )


class Bell:
    """Calls from outside: a webhook, SIGHUP, SIGTERM. Rung from threads and signal handlers.

    A SimpleQueue, because its `put` may interrupt its own `get`: an Event set by a handler can deadlock.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()
        self.called = False
        self.stopping = False

    def call(self) -> None:
        """A round, as soon as may be; any number of calls before it begins are one."""
        self.called = True
        self._rings.put(None)

    def stop(self) -> None:
        """No further write and no further round."""
        self.stopping = True
        self._rings.put(None)

    def wait(self, seconds: float) -> bool:
        """Until it rings or `seconds` have passed; whether it rang."""
        try:
            self._rings.get(timeout=max(seconds, 0.0))
        except Empty:
            return False
        return True


class Timer(Protocol):
    """What the loop needs of time."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def wait(self, seconds: float) -> None:
        """Until the bell rings, at most `seconds`, or less."""
        ...


class DaemonClock:
    """The clock of a daemon's session: a wait ends with StopRequestedError when the daemon is to end."""

    def __init__(self, bell: Bell, clock: Clock) -> None:
        self._bell = bell
        self.now = clock.now
        self.alive = self.monotonic()  #: when there was the last sign of life

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """May return early: a long wait shows signs of life."""
        self.alive = self.monotonic()
        self._bell.wait(min(seconds, TICK))

    def sleep(self, seconds: float) -> None:
        """Wait within a round. Calls for another round do not shorten it; raises StopRequestedError."""
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            self.check()
            self.wait(left)
        self.check()

    def check(self) -> None:
        """Raise StopRequestedError if the daemon is to end; called before every write."""
        self.alive = self.monotonic()
        if self._bell.stopping:
            raise StopRequestedError


class Loop:
    """Round after round until the bell says stop."""

    def __init__(
        self,
        work: Callable[[], Ended],
        pace: Callable[[], Pace],
        bell: Bell,
        timer: Timer,
        chance: Callable[[], float],
    ) -> None:
        """`work` is one round and may raise StopRequestedError; `pace` is asked after each."""
        self._work, self._pace, self._bell, self._timer, self._chance = work, pace, bell, timer, chance

    def run(self) -> None:
        """Returns when it was told to stop."""
        now = self._timer.monotonic()
        schedule = Schedule(due=now, called=now)
        while self._rest(schedule):
            self._bell.called = False  # whoever called until now is answered by this round
            try:
                ended = self._work()
            except StopRequestedError:
                return
            schedule = following(schedule, ended, self._pace(), self._timer.monotonic(), self._chance())

    def _rest(self, schedule: Schedule) -> bool:
        """Wait for the next round; False when there is none."""
        while not self._bell.stopping:
            now = self._timer.monotonic()
            due = min(schedule.due, schedule.called) if self._bell.called else schedule.due
            if now >= due:
                return True
            self._timer.wait(due - now)
        return False
