"""The Lightning data module: every split in use at one input size, as batches of bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytorch_lightning as lightning
from torch.utils.data import DataLoader

from trainer.data.records import SplitName
from trainer.training import processes
from trainer.training.sampler import StepSampler

EVALUATION_BATCH = 16


class PictureSource(Protocol):
    """One split as items that a collate function stacks."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def load(self) -> bool:
        """Decode everything once if it fits in memory; say whether it did."""


class TrainingData(lightning.LightningDataModule):
    """Batches of ``sampler`` for training, batches in order for evaluations."""

    def __init__(
        self,
        sets: Mapping[SplitName, PictureSource],
        sampler: StepSampler,
        collate: Callable[[Any], Any],
        *,
        workers: int = 0,
        evaluation_batch: int = EVALUATION_BATCH,
    ) -> None:
        super().__init__()
        self.sets = dict(sets)
        self.sampler = sampler
        self.collate = collate
        self.workers = workers
        self.evaluation_batch = evaluation_batch

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Decode the pictures once, where they fit in memory."""
        for pictures in self.sets.values():
            pictures.load()

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        if trainer is not None:
            self.sampler.first_step = lambda: trainer.global_step
        self.sampler.process = (processes.place(), processes.count())
        return self._loader("train", batch_sampler=self.sampler)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        return self._evaluation("validation")

    def test_dataloader(self) -> DataLoader[Any] | list[Any]:
        return self._evaluation("test")

    def _evaluation(self, split: SplitName) -> DataLoader[Any] | list[Any]:
        """Every process judges its share of the pictures, however they divide."""
        if split not in self.sets:
            return []
        share = processes.share(len(self.sets[split]))
        return self._loader(split, sampler=share, batch_size=self.evaluation_batch)

    def _loader(self, split: SplitName, **how: Any) -> DataLoader[Any]:
        pictures: Any = self.sets[split]
        return DataLoader(pictures, collate_fn=self.collate, num_workers=self.workers, **how)
