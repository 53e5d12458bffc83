"""Which pictures make which batch, and where an epoch ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import Sampler

from trainer.training.budget import Budget, evaluation_due
from trainer.training.replicas import slices


class StepSampler(Sampler[list[int]]):
    """Batches from the current step up to the next evaluation: to Lightning, one epoch.

    The batch of a step depends on the seed and the step alone, so a resumed run sees the pictures the
    interrupted one would have seen. Whether an evaluation is due is the budget's business: by steps or
    by minutes, whichever runs out first. ``process`` is this process's place and how many there are: each
    gets its part of every batch.
    """

    def __init__(self, length: int, batch_size: int, seed: int, budget: Budget, frequency: float) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.budget = budget
        self.frequency = frequency
        self.first_step: Callable[[], int] = lambda: 0
        self.process = (0, 1)
        self._order: tuple[int, list[int]] = (-1, [])

    def __iter__(self) -> Iterator[list[int]]:
        step = self.first_step()
        while True:
            before = self.budget.fraction(step)
            yield self.part(step)
            step += 1
            after = self.budget.fraction(step)
            if after >= 1 or evaluation_due(before, after, step, self.frequency):
                return

    def part(self, step: int) -> list[int]:
        """What this process gets of the batch of one step."""
        own, count = self.process
        return self.batch(step)[slices(self.batch_size, count)[own]]

    def batch(self, step: int) -> list[int]:
        """Indices of the pictures of one step; each passes once before any passes again."""
        first = step * self.batch_size
        return [self._picture(place) for place in range(first, first + self.batch_size)]

    def _picture(self, place: int) -> int:
        epoch, rest = divmod(place, self.length)
        if self._order[0] != epoch:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, torch.randperm(self.length, generator=random).tolist())
        return self._order[1][rest]
