"""Times as AI Core writes them: UTC, ISO 8601, ending in `Z`, in the two forms the official SDK can parse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SECONDS = "%Y-%m-%dT%H:%M:%SZ"
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> str:
    """The time to the second, as in `createdAt` and `modifiedAt`."""
    return datetime.now(UTC).strftime(SECONDS)


def later(span: timedelta) -> str:
    """The time that far from now, in the form of `now`: text order is time order."""
    return (datetime.now(UTC) + span).strftime(SECONDS)


def now_precise() -> str:
    """The time to the microsecond, as in log lines; fixed width, so that text order is time order."""
    return datetime.now(UTC).strftime(MICROSECONDS)


def parse(text: str) -> datetime:
    """The moment an ISO 8601 text names; a text without an offset is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def precise(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(MICROSECONDS)
