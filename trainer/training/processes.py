"""One training in several processes, one for each device: what they share and what they must agree on.

Gradients are averaged by PyTorch's DistributedDataParallel. Everything that decides when an evaluation, a
checkpoint or the end is due asks one clock, the first process's: processes that disagreed would wait for
each other forever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch import Tensor, distributed, nn
from typing_extensions import override

Item = TypeVar("Item")


def count() -> int:
    """Processes of this training; 1 before they have met."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def place() -> int:
    """This process among them."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type by their means over all processes."""
    if count() == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    means = torch.split(flat / count(), [tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))


@torch.no_grad()
def average_statistics(network: nn.Module) -> None:
    """Normalisation statistics over the whole batch, not only this process's part of it."""
    average([buffer for buffer in network.buffers() if buffer.is_floating_point()])


def gather(items: Iterable[tuple[int, Item]]) -> list[Item]:
    """Items of all processes in the order of their numbers, one for each number."""
    parts: list[list[tuple[int, Item]]] = [list(items)] * count()
    if count() > 1:
        distributed.all_gather_object(parts, parts[0])
    numbered = dict(pair for part in parts for pair in part)
    return [numbered[number] for number in sorted(numbered)]


def share(length: int) -> range:
    """Which of ``length`` pictures this process judges; all of them where there are too few to share."""
    return range(place(), length, count()) if length >= count() else range(length)


class SharedClock:
    """Seconds; with several processes those of the first one at the latest ``tick``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._now = clock()

    def __call__(self) -> float:
        return self.clock() if count() == 1 else self._now

    def tick(self, device: torch.device) -> None:
        """Take over the first process's time; all processes must come here."""
        if count() > 1:
            now = torch.tensor(self.clock(), dtype=torch.float64, device=device)
            distributed.broadcast(now, src=0)
            self._now = now.item()


class ClockTicks(Callback):
    """Ticks wherever time is asked for; must be the first callback of the trainer."""

    def __init__(self, clock: SharedClock) -> None:
        self.clock = clock

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.tick(pl_module.device)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.clock.tick(pl_module.device)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.tick(pl_module.device)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.tick(pl_module.device)
