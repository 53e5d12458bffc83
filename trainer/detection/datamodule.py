"""The Lightning data module: which pictures make which batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, Sampler

from trainer.data.records import Dataset, SplitName
from trainer.detection.budget import Budget, evaluation_due
from trainer.detection.pictures import PictureSet, collate

EVALUATION_BATCH = 16


class StepSampler(Sampler[list[int]]):
    """Batches from the current step up to the next evaluation: to Lightning, one epoch.

    The batch of a step depends on the seed and the step alone, so a resumed run sees the pictures the
    interrupted one would have seen. Whether an evaluation is due is the budget's business: by steps or
    by minutes, whichever runs out first.
    """

    def __init__(self, length: int, batch_size: int, seed: int, budget: Budget, frequency: float) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.budget = budget
        self.frequency = frequency
        self.first_step: Callable[[], int] = lambda: 0
        self._order: tuple[int, list[int]] = (-1, [])

    def __iter__(self) -> Iterator[list[int]]:
        step = self.first_step()
        while True:
            before = self.budget.fraction(step)
            yield self.batch(step)
            step += 1
            after = self.budget.fraction(step)
            if after >= 1 or evaluation_due(before, after, step, self.frequency):
                return

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


class DetectionData(lightning.LightningDataModule):
    """Every split in use at one input size, as batches of bytes."""

    def __init__(
        self,
        dataset: Dataset,
        size: tuple[int, int],
        *,
        batch_size: int,
        seed: int,
        budget: Budget,
        frequency: float,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.sets: dict[SplitName, PictureSet] = {
            split: PictureSet(pictures, dataset.classes, size) for split, pictures in dataset.splits.items()
        }
        self.sampler = StepSampler(len(self.sets["train"]), batch_size, seed, budget, frequency)
        self.workers = workers

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Decode the pictures once, where they fit in memory."""
        for pictures in self.sets.values():
            pictures.load()

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        if trainer is not None:
            self.sampler.first_step = lambda: trainer.global_step
        return self._loader("train", batch_sampler=self.sampler)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        return self._loader("validation", batch_size=EVALUATION_BATCH) if "validation" in self.sets else []

    def test_dataloader(self) -> DataLoader[Any] | list[Any]:
        return self._loader("test", batch_size=EVALUATION_BATCH) if "test" in self.sets else []

    def _loader(self, split: SplitName, **how: Any) -> DataLoader[Any]:
        return DataLoader(self.sets[split], collate_fn=collate, num_workers=self.workers, **how)
