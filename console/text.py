"""How times, sizes and states are said to people. Pure; the clock is always handed in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

# Every state word of AI Core and of the reconciler, by the colour a page gives it.
_TONES = {
    "good": {"completed", "healthy", "synced"},
    "busy": {"pending", "progressing", "running", "stopping", "scheduled"},
    "warn": {"outofsync", "missing", "suspended", "stopped", "stalled", "retired"},
    "bad": {"dead", "degraded", "failed"},
}


def duration(length: timedelta | None) -> str:
    """The two largest units of a length of time: `2 h 5 min`, `48 s`; an en dash where there is none."""
    if length is None:
        return "–"
    rest = max(0, int(length.total_seconds()))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit: `3 min ago`."""
    if moment is None:
        return "–"
    seconds = (now - moment).total_seconds()
    if seconds < 1:
        return "just now"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    return f"{int(seconds // size)} {unit} ago"


def moment(value: datetime | None) -> str:
    """A point in time in UTC to the second."""
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def number(value: float | None) -> str:
    """A measured value with four significant digits."""
    return "–" if value is None else f"{value:.4g}"


def tone(state: str) -> str:
    """The colour class of a state word: good, busy, warn, bad, or plain for words not known here."""
    word = re.sub(r"[\s_-]", "", state).lower()
    return next((name for name, words in _TONES.items() if word in words), "plain")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts class 2 before class 10 and digits before words."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)
