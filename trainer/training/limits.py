"""Ending a training when its budget is used up, on time for the final evaluation."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from typing_extensions import override

from trainer.training.budget import Budget


class BudgetLimit(Callback):
    """Starts the budget and stops the trainer at the limit.

    The time an evaluation took is kept free at the end, ``evaluations`` times: for one last validation,
    the best weights on validation again, and the test split in proportion to its pictures.
    """

    def __init__(self, budget: Budget, evaluations: float) -> None:
        self.budget = budget
        self.evaluations = evaluations
        self._began = 0.0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.budget.start()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.budget.exhausted(trainer.global_step):
            trainer.should_stop = True

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = self.budget.clock()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        took = self.budget.clock() - self._began
        self.budget.reserve = max(self.budget.reserve, took * self.evaluations)
