"""One writer among hosts that share nothing but a store with conditional writes.

Nobody there notices when a holder dies, so a lock expires: its holder moves the expiry on while it lives, and
another may take it over once it has passed. What decides is always the store, in one conditional write; and
time is the store's own, which stamps each of its answers, so that wrong clocks of hosts do no harm.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from reconciler.clock import Clock
from reconciler.errors import ReconcilerError
from reconciler.lock_base import LIFETIME, MARGIN, Lock, LockRecord

__all__ = ["ExpiringLock", "Seen", "Slot"]

_ATTEMPTS = 3
_POLL_SECONDS = 2.0
_NO_TAG = "0" * 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies in a slot: `content` None where nothing does; `at`: the store's time, None if it keeps it."""

    content: bytes | None
    tag: str
    at: datetime | None


class Slot(Protocol):
    """One object of a store. Every method raises LockUnavailableError where the store does not answer."""

    where: str

    def get(self) -> Seen:
        """What lies there now."""
        ...

    def put(self, content: bytes, replacing: str) -> bool:
        """Write over exactly what bears the tag `replacing`, or where nothing lies if that is empty.

        False where something else lies there, and nothing was written: or it was, by an earlier attempt
        whose answer was lost. Only `get` tells.
        """
        ...


class ExpiringLock(Lock):
    """The lock of one place among hosts, in a slot of a store."""

    def __init__(
        self,
        slot: Slot,
        base_url: str,
        resource_group: str,
        operation: str,
        *,
        commit: str = "",
        timeout: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        """`timeout`: seconds to wait for another holder; nobody waits for one that has expired."""
        super().__init__(
            base_url,
            resource_group,
            operation,
            commit=commit,
            timeout=timeout,
            clock=clock,
            poll=_POLL_SECONDS,
        )
        self._slot = slot
        self._seen_at: datetime | None = None

    def look(self) -> LockRecord | None:
        seen = self._slot.get()
        self._seen_at, record = seen.at, self._read(seen)
        return None if record is None or record.released else record

    def refresh(self) -> None:
        seen = self._slot.get()
        self._mine(seen)
        if not self._slot.put(self._record(self._now(seen)).dump(), seen.tag):
            self._mine(self._slot.get())

    def _take(self) -> bool:
        seen = self._slot.get()
        record = self._read(seen)
        if record and not record.released and self._now(seen) <= record.expires_at + MARGIN:
            return False
        ours = self._record(self._now(seen)).dump()
        try:
            self._slot.put(ours, seen.tag)
            # The answer may have been lost, or be a lie: what lies there now decides.
            lies = self._slot.get()
            if not self._is_mine(lies):
                return False
            self._prove(ours, lies.tag)
        except BaseException:
            with suppress(ReconcilerError):
                self._drop()
            raise
        return True

    def _prove(self, ours: bytes, tag: str) -> None:
        """A store that writes whatever the condition says, or never, can keep nobody apart."""
        ignored = self._slot.put(ours, "") or self._slot.put(ours, _NO_TAG)
        if ignored or not any(self._slot.put(ours, tag) for _ in range(_ATTEMPTS)):
            raise self._unavailable(
                f"{self._slot.where} cannot be a lock: conditions on writes (If-None-Match, If-Match) are "
                f"{'not honoured' if ignored else 'not understood'} there.",
                remedy="Name another object store in the environment's `lock`, or use `lock: {type: file}`.",
            )

    def _verify(self) -> None:
        seen = self._slot.get()
        if self._now(seen) > self._mine(seen).expires_at:
            raise self._gone(f"has expired: it was not renewed for {LIFETIME.seconds} s")

    def _drop(self) -> None:
        self._remove(self.token)

    def _remove(self, token: str) -> bool:
        for attempt in range(_ATTEMPTS):  # its holder may be renewing it
            seen = self._slot.get()
            record = self._read(seen)
            if record is None or record.token != token:
                return False
            if record.released:
                return attempt > 0  # ours, and its answer was lost
            if self._slot.put(replace(record, released=True).dump(), seen.tag):
                return True
        record = self._read(self._slot.get())
        return record is not None and record.released and record.token == token

    def _mine(self, seen: Seen) -> LockRecord:
        record = self._read(seen)
        if record is None or record.released or record.token != self.token:
            by = f" by {record.holder}" if record and not record.released else ""
            raise self._gone(f"was taken away from this process{by}")
        return record

    def _is_mine(self, seen: Seen) -> bool:
        record = self._read(seen)
        return record is not None and not record.released and record.token == self.token

    def _present(self) -> datetime:
        return self._seen_at or self._clock.now()

    def _now(self, seen: Seen) -> datetime:
        return seen.at or self._clock.now()

    def _read(self, seen: Seen) -> LockRecord | None:
        if seen.content is None:
            return None
        try:
            return LockRecord.parse(seen.content)
        except ValueError:
            raise self._unavailable(
                f"{self._slot.where} is no lock that this version of corespec can read.",
                remedy="Look at it; once nobody is at work, delete it.",
            ) from None
