"""Time as a parameter, so that no test waits and no pure module reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

#: Between two looks at something that is under way.
POLL_SECONDS = 2.0


class Clock(Protocol):
    """What the reconciler needs of time."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
