"""Repeating what may be repeated: reads, and creates after looking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from reconciler.clock import Clock
from reconciler.errors import AmbiguousError, ConflictError, TransientError
from reconciler.observability import METERS

T = TypeVar("T")

#: Seconds between attempts of a read. The SDK has made four attempts of its own before each of ours.
READ_DELAYS = (0.5, 2.0)
#: Seconds before looking again after an ambiguous create: a slow server may still be writing.
SETTLE_DELAYS = (1.0, 3.0)
#: Seconds between attempts of a create that surely did not happen.
CREATE_DELAYS = (1.0, 4.0, 15.0)
#: Never wait longer than this for one Retry-After, seconds.
LONGEST_WAIT = 60.0


def repeat_read(read: Callable[[], T], clock: Clock, delays: Sequence[float] = READ_DELAYS) -> T:
    """`read()`, again after a transient failure; raises the last TransientError."""
    for delay in delays:
        try:
            return read()
        except TransientError as error:
            METERS.retries.add()
            clock.sleep(min(error.retry_after or delay, LONGEST_WAIT))
    return read()


def ensure(find: Callable[[], T | None], create: Callable[[], T], clock: Clock) -> T:
    """Create one object, never twice: after any doubt look first, and create only if it is absent.

    The caller has just observed that the object is absent. `find` returns it if it is there after all.
    Raises what the last `create` raised when the attempts are used up.
    """
    for delay in CREATE_DELAYS:
        try:
            return create()
        except AmbiguousError:
            if (found := _look(find, clock)) is not None:
                return found
            METERS.retries.add()
        except TransientError as error:
            METERS.retries.add()
            clock.sleep(min(error.retry_after or delay, LONGEST_WAIT))
            if (found := find()) is not None:
                return found
        except ConflictError:
            # "exists already": somebody else, or an earlier attempt of ours whose answer was lost.
            if (found := find()) is not None:
                return found
            raise
    try:
        return create()
    except AmbiguousError:
        if (found := _look(find, clock)) is not None:
            return found
        raise


def write_again(write: Callable[[], None], clock: Clock, delays: Sequence[float] = CREATE_DELAYS) -> None:
    """`write()`, which replaces a whole value: sent again after any doubt, because twice does no harm.

    Raises the last TransientError (AmbiguousError is one).
    """
    for delay in delays:
        try:
            return write()
        except TransientError as error:
            METERS.retries.add()
            clock.sleep(min(error.retry_after or delay, LONGEST_WAIT))
    return write()


def _look(find: Callable[[], T | None], clock: Clock) -> T | None:
    for delay in SETTLE_DELAYS:
        clock.sleep(delay)
        if (found := find()) is not None:
            return found
    return None
