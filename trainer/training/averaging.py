"""Exponential moving average of the weights, as a Lightning callback with a ramp."""

from __future__ import annotations

import math
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from typing_extensions import override


class AveragedWeights(Callback):
    """Averages weights and normalisation statistics; evaluations and the final model use the average.

    The decay ramps up with the number of steps: an average that remembers the random start is worthless
    for the whole of a short run, which is why Lightning's own callback does not serve here. The average
    travels in every checkpoint as this callback's state.
    """

    def __init__(self, network: nn.Module, decay: float = 0.99, ramp: float = 50.0) -> None:
        self.network = network
        self.decay = decay
        self.ramp = ramp
        self.steps = 0
        self.average: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] | None = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.average:
            self.average = _copy(self.network.state_dict())
        self.average = {name: value.to(pl_module.device) for name, value in self.average.items()}

    @override
    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps += 1
        current = self.network.state_dict()
        floats = [name for name, value in current.items() if value.is_floating_point()]
        weight = 1 - self.decay * (1 - math.exp(-self.steps / self.ramp))
        torch._foreach_lerp_(
            [self.average[name] for name in floats], [current[name] for name in floats], weight
        )

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._trained = _copy(self.network.state_dict())
            self.network.load_state_dict(self.average)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._trained is not None:
            self.network.load_state_dict(self._trained)
            self._trained = None

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "average": self.average}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps = state_dict["steps"]
        self.average = state_dict["average"]


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
