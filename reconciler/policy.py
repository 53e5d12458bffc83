"""When executions may be started: launch windows, and hours on GPU machines. Pure: the time is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from generator.spec.operations import Window

DAY = timedelta(hours=24)
#: How far ahead the next opening of a window is looked for.
_HORIZON = timedelta(days=32)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether executions may be started; `why` says what keeps it closed, `opens` when it opens next."""

    open: bool
    why: str = ""
    opens: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A time on a machine: `end` is None while it lasts."""

    start: datetime
    end: datetime | None
    limit: timedelta | None = None  #: it is stopped after so long


def launch_gate(windows: Sequence[Window], now: datetime) -> Gate:
    """Deny wins over allow; without an allowed window everything that is not denied is allowed.

    `opens` is None when it does not open within the next month.
    """
    if not windows or _allowed(windows, now):
        return Gate(open=True)
    denied = next((w for w in windows if w.kind == "deny" and _inside(w, now)), None)
    why = f"inside the denied window `{denied.cron}`" if denied else "outside of every allowed window"
    ends = sorted(moment for w in windows for moment in _edges(w, now))
    opens = next((moment for moment in ends if moment > now and _allowed(windows, moment)), None)
    return Gate(open=False, why=why, opens=opens)


def _allowed(windows: Sequence[Window], now: datetime) -> bool:
    if any(window.kind == "deny" and _inside(window, now) for window in windows):
        return False
    allowing = [window for window in windows if window.kind == "allow"]
    return not allowing or any(_inside(window, now) for window in allowing)


def _inside(window: Window, now: datetime) -> bool:
    """Whether a start of the window lies no further back than it lasts."""
    length = timedelta(seconds=window.duration)
    zone = ZoneInfo(window.time_zone)
    moment = now.replace(second=0, microsecond=0)
    while now - moment < length:
        if starts(window.cron, moment.astimezone(zone)):
            return True
        moment -= _MINUTE
    return False


def _edges(window: Window, now: datetime) -> Iterable[datetime]:
    """Moments of the near future at which the window begins or ends: only then can anything change."""
    length, zone = timedelta(seconds=window.duration), ZoneInfo(window.time_zone)
    hours = window.cron.split()[1]
    moment = (now - length).replace(second=0, microsecond=0)
    while moment < now + _HORIZON:
        local = moment.astimezone(zone)
        if not _fits(hours, local.hour, 0, 23):
            moment += _MINUTE * (60 - local.minute)
            continue
        if starts(window.cron, local):
            yield moment
            yield moment + length
        moment += _MINUTE


def starts(cron: str, moment: datetime) -> bool:
    """Whether five cron fields fit a minute.

    As in Vixie cron, day of month and day of week are joined by `or` where both are given; Sunday is 0 and 7.
    """
    minute, hour, day, month, weekday = cron.split()
    if not (
        _fits(minute, moment.minute, 0, 59)
        and _fits(hour, moment.hour, 0, 23)
        and _fits(month, moment.month, 1, 12)
    ):
        return False
    on_day = _fits(day, moment.day, 1, 31)
    number = moment.isoweekday() % 7
    on_weekday = _fits(weekday, number, 0, 7) or (number == 0 and _fits(weekday, 7, 0, 7))
    if day.startswith("*") or weekday.startswith("*"):
        return on_day and on_weekday
    return on_day or on_weekday


def _fits(field: str, value: int, low: int, high: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = int(first)
            end = int(last) if last else (high if step else begin)
        if begin <= value <= end and (value - begin) % int(step or 1) == 0:
            return True
    return False


def hours_in_a_day(spans: Iterable[Span], now: datetime) -> float:
    """Hours of the last 24 that the spans cover, and for those that last, what they may still take."""
    total = timedelta()
    for span in spans:
        begin = max(span.start, now - DAY)
        end = span.end
        if end is None:
            stop = span.start + span.limit if span.limit else now
            end = max(now, stop)
        total += max(timedelta(), end - begin)
    return total / timedelta(hours=1)
