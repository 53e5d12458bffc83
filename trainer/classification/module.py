"""The Lightning module of the classifier."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.classification.evaluation import Figures, figures
from trainer.labelled.network import PooledNetwork
from trainer.labelled.pictures import Batch
from trainer.labelled.preparation import Preparation
from trainer.training import processes
from trainer.training.augment import ordered
from trainer.training.module import Recipe, TrainedModule

SMOOTHING = 0.1
"""Share of the certainty that is asked for no class: labels are wrong now and then."""

SELECTION = "selection"
"""Accuracy, and between equals the likelihood: what chooses the weights."""


class Losses(NamedTuple):
    """A scalar."""

    total: Tensor


class ClassificationModule(TrainedModule[PooledNetwork]):
    """Trains a network whose outputs are logits; ``figures`` holds the latest evaluation."""

    figures: Figures | None

    def __init__(
        self, network: PooledNetwork, classes: tuple[str, ...], recipe: Recipe, preparation: Preparation
    ) -> None:
        super().__init__(network, recipe)
        self.classes = classes
        self.preparation = preparation
        self.figures = None
        self._seen: list[tuple[int, tuple[Tensor, Tensor]]] = []

    def losses(self, network: PooledNetwork, batch: Batch, part: int) -> Losses:
        """Change the pictures and compute the cross entropy."""
        pictures = self.preparation.for_training(batch.pictures, self.global_step, part)
        logits = network(pictures)
        return Losses(functional.cross_entropy(logits, batch.labels, label_smoothing=SMOOTHING))

    def on_validation_epoch_start(self) -> None:
        self._seen = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        logits = self.network(ordered(batch.pictures.float()))
        self._seen += zip(batch.indices, zip(logits.cpu(), batch.labels.cpu(), strict=True), strict=True)

    def on_validation_epoch_end(self) -> None:
        seen = processes.gather(self._seen)
        logits, labels = (torch.stack(parts) for parts in zip(*seen, strict=True))
        self.figures = figures(logits, labels, self.classes)
        accuracy = self.figures.metrics["accuracy"]
        self.log_dict({"accuracy": accuracy, SELECTION: accuracy + 1e-4 * max(-9.0, self.figures.likelihood)})

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()
