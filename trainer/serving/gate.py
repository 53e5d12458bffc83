"""How much the server takes in at once: requests under way, and the bytes of their bodies."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from trainer.serving.errors import AnswerError, Fault


@dataclass(slots=True)
class _Waiting:
    amount: int
    turn: asyncio.Future[None]


class Gate:
    """Lets requests in, first come, first served, while their bodies fit; for one event loop.

    At most ``requests`` are under way or waiting: one more is refused, for it would be answered too late.
    Bodies of at most ``capacity`` bytes are in memory; a larger one comes in alone.
    """

    def __init__(self, requests: int, capacity: int) -> None:
        self._requests = requests
        self._capacity = capacity
        self._free = capacity
        self._queue: deque[_Waiting] = deque()
        self.under_way = 0

    @asynccontextmanager
    async def passed(self, size: int) -> AsyncIterator[None]:
        """Inside, a body of ``size`` bytes may be read. Raises ``AnswerError`` where too many wait."""
        if self.under_way >= self._requests:
            message = f"{self.under_way} requests are under way, ask again in a moment"
            raise AnswerError(Fault.BUSY, message, limit="queue")
        amount = min(size, self._capacity)
        self.under_way += 1
        try:
            await self._take(amount)
            try:
                yield
            finally:
                self._give(amount)
        finally:
            self.under_way -= 1

    @property
    def waiting(self) -> int:
        """Requests whose bodies are not read yet."""
        return len(self._queue)

    async def _take(self, amount: int) -> None:
        if not self._queue and self._free >= amount:
            self._free -= amount
            return
        entry = _Waiting(amount, asyncio.get_running_loop().create_future())
        self._queue.append(entry)
        try:
            await entry.turn
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
            elif not entry.turn.cancelled():  # its turn had come when it gave up
                self._free += amount
            self._admit()
            raise

    def _give(self, amount: int) -> None:
        self._free += amount
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._queue[0].amount <= self._free:
            entry = self._queue.popleft()
            if not entry.turn.done():
                self._free -= entry.amount
                entry.turn.set_result(None)
