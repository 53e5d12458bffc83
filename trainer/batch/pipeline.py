"""Decode on several threads, compute in batches, keep the order, hold only a few pictures at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.batch.sources import Source
from trainer.inference.models import Model, Result
from trainer.inference.pictures import PictureError, decode


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded picture, or what is wrong with it; ``content`` is kept only where it is wanted again."""

    name: str
    pixels: npt.NDArray[np.uint8] | None = None
    size: tuple[int, int] = (0, 0)
    content: bytes = b""
    fault: PictureError | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A prepared picture with its result; None where the picture is bad."""

    prepared: Prepared
    result: Result | None

    def as_record(self) -> dict[str, Any]:
        """The line of the journal."""
        if self.result is None:
            fault = self.prepared.fault
            assert fault is not None
            return {"picture": self.prepared.name, "error": fault.code, "message": fault.message}
        width, height = self.prepared.size
        return {"picture": self.prepared.name, "width": width, "height": height, **self.result.as_dict()}


def process(
    model: Model, sources: Iterable[Source], *, batch_size: int, workers: int, keep: bool
) -> Iterator[list[Done]]:
    """Results of all sources in their order, a batch at a time.

    At most ``batch_size + workers`` pictures are in memory as decoded input, and ``workers`` in full size;
    ``keep`` holds on to the encoded pictures as well.
    """
    with ThreadPoolExecutor(workers) as pool:
        batch: list[Prepared] = []
        good = 0
        for prepared in _prepared(model, sources, pool, workers, keep):
            batch.append(prepared)
            good += prepared.fault is None
            if good == batch_size or len(batch) == 4 * batch_size:
                yield _computed(model, batch)
                batch, good = [], 0
        if batch:
            yield _computed(model, batch)


def _prepared(
    model: Model, sources: Iterable[Source], pool: ThreadPoolExecutor, workers: int, keep: bool
) -> Iterator[Prepared]:
    """Sources prepared on the threads of ``pool``, in order, never more than ``workers`` ahead."""
    pending: deque[Future[Prepared]] = deque()
    for source in sources:
        try:
            content = source.read()
        except PictureError as error:
            pending.append(_finished(Prepared(source.name, fault=error)))
        else:
            pending.append(pool.submit(_prepare, model, source.name, content, keep))
        if len(pending) > workers:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _finished(prepared: Prepared) -> Future[Prepared]:
    future: Future[Prepared] = Future()
    future.set_result(prepared)
    return future


def _prepare(model: Model, name: str, content: bytes, keep: bool) -> Prepared:
    try:
        picture = decode(content)
    except PictureError as error:
        return Prepared(name, fault=error)
    return Prepared(name, model.prepare(picture), picture.size, content if keep else b"")


def _computed(model: Model, batch: Sequence[Prepared]) -> list[Done]:
    sound = [item for item in batch if item.pixels is not None]
    pixels = [item.pixels for item in sound if item.pixels is not None]
    results = iter(model.infer(pixels, [item.size for item in sound]) if sound else ())
    return [Done(item, None if item.pixels is None else next(results)) for item in batch]
