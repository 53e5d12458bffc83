"""Times as the command line takes them."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from corespec.errors import CommandError
from generator.spec.types import Duration, Timestamp


def moment(text: str, now: datetime, option: str) -> datetime:
    """A moment of RFC 3339 with its time zone, or a time from now: `36h`, `2d`; in the zone of `now`."""
    try:
        return now + timedelta(seconds=TypeAdapter(Duration).validate_python(text))
    except ValidationError:
        pass
    try:
        found: datetime = TypeAdapter(Timestamp).validate_python(text)
    except ValidationError:
        raise CommandError(
            f"{option} {text}: no time",
            remedy="Give one with its zone, 2026-02-01T08:00:00Z, or one from now on: 36h, 2d.",
        ) from None
    return found.astimezone(now.tzinfo)
