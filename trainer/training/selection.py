"""Keeping the weights of the best evaluation."""

from __future__ import annotations

import math
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from typing_extensions import override

from trainer.training.averaging import AveragedWeights
from trainer.training.module import TrainedModule


class BestWeights(Callback):
    """Keeps the averaged weights with the highest ``metric`` on validation, and what belongs to them.

    They travel in every checkpoint: weights in a file of their own could be those of an evaluation that a
    resumed run has not come to yet. ``weights`` is empty before the first evaluation.
    """

    def __init__(self, averaged: AveragedWeights, module: TrainedModule[Any], metric: str) -> None:
        self.averaged = averaged
        self.module = module
        self.metric = metric
        self.step = 0
        self.value = -math.inf
        self.weights: dict[str, Tensor] = {}
        self.kept: dict[str, Any] = {}

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return
        value = float(trainer.callback_metrics[self.metric])
        if value > self.value:
            self.step, self.value = trainer.global_step, value
            self.weights = {name: kept.clone() for name, kept in self.averaged.average.items()}
            self.kept = self.module.kept()

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "value": self.value, "weights": self.weights, "kept": self.kept}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.step, self.value = state_dict["step"], state_dict["value"]
        self.weights, self.kept = state_dict["weights"], state_dict["kept"]
