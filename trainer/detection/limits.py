"""Ending a training when its budget is used up, on time for the final evaluation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

from trainer.detection.budget import Budget
from trainer.detection.datamodule import DetectionData
from trainer.detection.module import DetectionModule


class BudgetLimit(Callback):
    """Starts the budget, tells the sampler where to begin, and stops the trainer at the limit.

    The time an evaluation took is kept free at the end, in proportion to the pictures still to be looked
    at: one last validation, the best weights on validation again, and the test split.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._began = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: DetectionModule) -> None:  # noqa: ARG002
        self.budget.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: DetectionModule, *_: Any) -> None:
        if self.budget.exhausted(module.global_step):
            trainer.should_stop = True

    def on_validation_start(self, trainer: lightning.Trainer, module: DetectionModule) -> None:  # noqa: ARG002
        self._began = self.budget.clock()

    def on_validation_end(self, trainer: lightning.Trainer, module: DetectionModule) -> None:  # noqa: ARG002
        data = trainer.datamodule
        assert isinstance(data, DetectionData)
        took = self.budget.clock() - self._began
        rest = len(data.sets["test"]) / len(data.sets["validation"]) if "test" in data.sets else 0.0
        self.budget.reserve = max(self.budget.reserve, took * (2 + rest))
