"""What every Lightning module of ours has in common: optimizer, learning rate, replicas, checkpoints."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from trainer.errors import TrainerError
from trainer.training import processes
from trainer.training.augment import step_seed
from trainer.training.budget import Budget, learning_rate_factor
from trainer.training.replicas import Replicas, slices, trained

WEIGHT_DECAY = 0.05

_STEPS = "epoch_loop.automatic_optimization.optim_progress"


class DivergedError(TrainerError):
    """The loss is no longer a number."""


class HasMetrics(Protocol):
    """The figures of an evaluation, by name."""

    @property
    def metrics(self) -> Mapping[str, float]: ...


class Divisible(Protocol):
    """A batch that can be shared among replicas."""

    indices: tuple[int, ...]

    def part(self, places: slice) -> Self:
        """Some of its pictures."""


Network = TypeVar("Network", bound=nn.Module)


class Recipe(NamedTuple):
    """How fast to learn, for how long, on how many replicas, and what a network's own draws begin with."""

    budget: Budget
    learning_rate: float
    decay: bool
    replicas: int = 1
    seed: int = 0


class TrainedModule(lightning.LightningModule, Generic[Network]):
    """Trains ``network`` with AdamW; the learning rate follows the budget.

    A subclass computes losses (a named tuple of scalars whose first is ``total``) and evaluates; ``figures``
    holds its latest evaluation.
    """

    figures: HasMetrics | None

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        self.network = channels_last(network)
        self.budget = recipe.budget
        self.learning_rate = recipe.learning_rate
        self.current_learning_rate = recipe.learning_rate
        self.decay = recipe.decay
        self.seed = recipe.seed
        self._replicas = Replicas(self.network, recipe.replicas) if recipe.replicas > 1 else None
        self._gradients: list[Tensor] = []

    @abstractmethod
    def losses(self, network: Network, batch: Any, part: int) -> Any:
        """The losses of ``part`` of a batch: a named tuple of scalars, ``total`` first."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; norms and biases are not decayed."""
        parameters = trained(self.network)
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=(0.9, 0.99))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Set what this step is done with, from the budget and the step alone.

        A scheduler that counts steps knows nothing of minutes; and a network that draws numbers itself
        (dropout, noise) must draw the same ones when the step is repeated.
        """
        torch.manual_seed(step_seed(self.seed, self.global_step, self.global_rank))
        factor = learning_rate_factor(self.budget.fraction(self.global_step), decay=self.decay)
        self.current_learning_rate = self.learning_rate * factor
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.current_learning_rate

    def on_train_start(self) -> None:
        if self._replicas:
            self._replicas.align()

    def training_step(self, batch: Divisible, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        own = self.global_rank
        losses = self.losses(self.network, batch, own) if self._replicas is None else self._shared(batch)
        total, parts = _over_all_processes(losses)
        if not math.isfinite(total.item()):
            raise DivergedError(
                f"the loss became {total.item()} at step {self.global_step}; "
                f"lower base_learning_rate (now {self.learning_rate:g}) or set precision=32"
            )
        return {"loss": total, **parts}

    def _shared(self, batch: Divisible) -> Any:
        """The losses of a batch that the replicas share; their gradients wait for ``backward``."""
        assert self._replicas is not None
        places = slices(len(batch.indices), len(self._replicas))

        def share(network: Network, part: int) -> Any:
            # Autocast belongs to a thread: the one Lightning opened is not seen here.
            with self.trainer.precision_plugin.forward_context():
                return self.losses(network, batch.part(places[part]), part)

        losses, self._gradients = self._replicas.gradients(share)
        return losses

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Lightning's moment for gradients; the replicas have computed theirs already."""
        if self._replicas is None:
            super().backward(loss, *args, **kwargs)
            return
        for parameter, gradient in zip(trained(self.network), self._gradients, strict=True):
            parameter.grad = gradient

    def on_after_backward(self) -> None:
        processes.average_statistics(self.network)

    def kept(self) -> dict[str, Any]:
        """What goes into a checkpoint beside the weights; plain values only."""
        return {}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take up what ``kept`` gave."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        budget = {"spent": self.budget.elapsed(), "reserve": self.budget.reserve}
        checkpoint["corespec"] = {**budget, **self.kept()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint["corespec"]
        self.budget.spent, self.budget.reserve = kept["spent"], kept["reserve"]
        self.restore(kept)
        # Of Lightning's loops only the number of steps goes on: our batches ask for nothing else, and a
        # loop that begins anew never wonders in the middle of what it was interrupted.
        fresh = self.trainer.fit_loop.state_dict()
        fresh[_STEPS] = checkpoint["loops"]["fit_loop"][_STEPS]
        checkpoint["loops"]["fit_loop"] = fresh


def _over_all_processes(losses: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """Total and parts as means over all processes; the total's gradient is that of this process's part."""
    values = {name: value.detach().clone() for name, value in losses._asdict().items()}
    processes.average(list(values.values()))
    total: Tensor = losses.total
    mean = values.pop("total")
    return total + (mean - total.detach()), values


def channels_last(network: Network) -> Network:
    """The network with its convolutions in the memory order that CPUs and GPUs compute fastest in."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
