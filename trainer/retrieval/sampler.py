"""Batches of P classes with K pictures each: a distance teaches only beside its like."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import torch
from typing_extensions import override

from trainer.training.budget import Budget
from trainer.training.sampler import StepSampler


class PKSampler(StepSampler):
    """The batch of a step depends on the seed and the step alone.

    Classes are drawn without repetition, at most as many as there are; pictures repeat only in classes that
    have fewer than K. All first pictures come first, then all second ones, so that a part of a batch has
    every class, too.
    """

    def __init__(
        self, labels: Sequence[int], p: int, k: int, seed: int, budget: Budget, frequency: float
    ) -> None:
        members: dict[int, list[int]] = defaultdict(list)
        for place, label in enumerate(labels):
            members[label].append(place)
        self.members = [members[label] for label in sorted(members)]
        self.p = min(p, len(self.members))
        self.k = k
        super().__init__(len(labels), self.p * k, seed, budget, frequency)

    @override
    def batch(self, step: int) -> list[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        chosen = torch.randperm(len(self.members), generator=random)[: self.p].tolist()
        drawn = [_draw(self.members[place], self.k, random) for place in chosen]
        return [picture for rank in zip(*drawn, strict=True) for picture in rank]


def _draw(pictures: Sequence[int], count: int, random: torch.Generator) -> list[int]:
    order = [pictures[place] for place in torch.randperm(len(pictures), generator=random).tolist()]
    return list(itertools.islice(itertools.cycle(order), count))
