"""What both protocols stand on: who is let in, what is read, where it is computed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from trainer.inference.models import Result
from trainer.serving.errors import overdue
from trainer.serving.gate import Gate
from trainer.serving.metrics import Meters
from trainer.serving.prepare import AT_ONCE, Prepared, prepare
from trainer.serving.registry import Registry, Served
from trainer.serving.requests import Limits, announced_bytes

T = TypeVar("T")
Portion = Callable[[], Prepared]
"""A few pictures of a request, prepared when it is called; raises ``AnswerError``."""

OTHER = "other"
"""The verb of requests that ask no model."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request under way to a model."""

    served: Served
    deadline: float
    """A moment of ``time.monotonic``."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the handlers share."""

    registry: Registry
    limits: Limits
    timeout: float
    """Seconds for a request, from its headers to its answer."""
    pool: Executor
    """Reads and decodes."""
    gate: Gate
    meters: Meters

    @asynccontextmanager
    async def admitted(self, request: Request, label: str, verb: str) -> AsyncIterator[Ticket]:
        """Inside, the request may read its body and compute, until its time is up.

        Raises ``AnswerError`` for an unknown model, a body announced too large, a full server, and when the
        time is up.
        """
        served = self.registry.served(label)
        note(request, served.label, verb)
        size = announced_bytes(request, self.limits)
        deadline = time.monotonic() + self.timeout
        try:
            async with asyncio.timeout(self.timeout), self.gate.passed(size):
                yield Ticket(served, deadline)
        except TimeoutError as error:
            raise overdue() from error

    async def on_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of blocking work. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(work, *arguments))

    async def results(self, ticket: Ticket, portions: Iterable[Portion]) -> list[Result]:
        """What the model says of every picture; portions are prepared on a thread, one after the other."""
        batcher = ticket.served.batcher
        results: list[Result] = []
        for portion in portions:
            with batcher.announced():
                some = await self.on_thread(portion)
            results += await batcher.submit(some.pixels, some.sizes)
        return results


def encoded(ticket: Ticket, pictures: Sequence[bytes], limits: Limits) -> Iterator[Portion]:
    """Encoded pictures in portions: a large request takes no more memory for pixels than a small one."""
    for first in range(0, len(pictures), AT_ONCE):
        some = pictures[first : first + AT_ONCE]
        yield partial(prepare, ticket.served.model, some, first, limits, ticket.deadline)


def note(request: Request, label: str, verb: str) -> None:
    """Tell the telemetry whom a request asks, and what."""
    asked = request.scope.get("asked")
    if asked is not None:
        asked.update(model=label, verb=verb)
