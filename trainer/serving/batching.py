"""Pictures of concurrent requests, computed together: one run of the network for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.inference.models import Model, Result

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Policy:
    """At most ``size`` pictures a run, at most ``runs`` at once.

    A run waits ``wait`` seconds at most for pictures on their way.
    """

    size: int = 8
    wait: float = 0.002
    runs: int = 1


@dataclass(slots=True)
class _Picture:
    pixels: Pixels
    size: tuple[int, int]
    answer: asyncio.Future[Result]


class Batcher:
    """One model's queue; for one event loop, which computes on the threads of ``executor``.

    What comes while as many runs are under way as there may be makes the next batch. The network waits for
    others only while a picture that was announced is being decoded, and never longer than the policy says: a
    single client waits for nobody.
    """

    def __init__(
        self, model: Model, executor: Executor, policy: Policy, observe: Callable[[int], None]
    ) -> None:
        self._model = model
        self._executor = executor
        self._policy = policy
        self._observe = observe
        self._queue: deque[_Picture] = deque()
        self._coming = 0
        self._changed = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._runs: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Pictures that no run has taken yet."""
        return len(self._queue)

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Inside, pictures are being prepared; leave before they are submitted."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._changed.set()

    async def submit(self, pixels: Sequence[Pixels], sizes: Sequence[tuple[int, int]]) -> list[Result]:
        """One result for each prepared picture; raises what the network raised.

        Pictures of a caller that is cancelled are not computed any more, unless their run has begun.
        """
        loop = asyncio.get_running_loop()
        pictures = [_Picture(*one, loop.create_future()) for one in zip(pixels, sizes, strict=True)]
        self._queue.extend(pictures)
        self._changed.set()
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        return await asyncio.gather(*(picture.answer for picture in pictures))

    async def _work(self) -> None:
        try:
            while self._queue:
                if len(self._runs) >= self._policy.runs:
                    await asyncio.wait(self._runs, return_when=asyncio.FIRST_COMPLETED)
                await self._gather()
                if batch := self._take():
                    run = asyncio.get_running_loop().create_task(self._run(batch))
                    self._runs.add(run)
                    run.add_done_callback(self._runs.discard)
        finally:
            self._worker = None

    async def _gather(self) -> None:
        """Wait until a batch is full, nobody is on the way, or time is up."""
        try:
            async with asyncio.timeout(self._policy.wait):
                while self._coming and len(self._queue) < self._policy.size:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    def _take(self) -> list[_Picture]:
        batch: list[_Picture] = []
        while self._queue and len(batch) < self._policy.size:
            picture = self._queue.popleft()
            if not picture.answer.done():  # cancelled
                batch.append(picture)
        return batch

    async def _run(self, batch: Sequence[_Picture]) -> None:
        self._observe(len(batch))
        loop = asyncio.get_running_loop()
        run = loop.run_in_executor(self._executor, self._compute, batch)
        await asyncio.wait([run])
        error = run.exception()
        for place, picture in enumerate(batch):
            if picture.answer.done():
                continue
            if error is not None:
                picture.answer.set_exception(error)
            else:
                picture.answer.set_result(run.result()[place])

    def _compute(self, batch: Sequence[_Picture]) -> list[Result]:
        pixels = [picture.pixels for picture in batch]
        return list(self._model.infer(pixels, [picture.size for picture in batch]))
