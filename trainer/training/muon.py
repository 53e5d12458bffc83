"""Muon for the convolutions, AdamW for everything else, as one optimizer.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces the momentum of a weight matrix
by the nearest matrix whose singular values are all about one: no direction of the gradient drowns the others.
It costs a seventh of a training step on a CPU and needs a third of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

FACTOR = 10.0
"""Learning rate of Muon, in learning rates of AdamW: its steps have a length of their own."""

MOMENTUM = 0.95

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that drives singular values towards one (the publication's): fast, not exact."""

ITERATIONS = 4
"""One less than the publication's: fewer inputs to a weight, no values as small."""


class Muon(torch.optim.Optimizer):
    """Steps for ``matrices`` by Muon and for ``others`` by AdamW, whose norms and biases are not decayed.

    A convolution (outputs, inputs, h, w) counts as the matrix (outputs, inputs * h * w).
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        others: Iterable[Tensor],
        learning_rate: float,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:
        others = list(others)
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "orthogonal": True},
            {"params": [p for p in others if p.ndim > 1]},
            {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        ]
        defaults = {
            "lr": learning_rate,
            "betas": betas,
            "weight_decay": weight_decay,
            "orthogonal": False,
        }
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step with the gradients that are there; ``closure`` computes them (Lightning's way)."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                if group["weight_decay"]:
                    torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                (self._muon if group["orthogonal"] else self._adam)(parameters, group)
        return loss

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = _gradients(parameters)
        momenta = self._remembered("momentum", parameters)
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # Nesterov's look ahead
        matrices = [_matrix(update) for update in ahead]
        for shape in {matrix.shape for matrix in matrices}:
            places = [place for place, matrix in enumerate(matrices) if matrix.shape == shape]
            length = group["lr"] * FACTOR * math.sqrt(max(1.0, shape[0] / shape[1]))
            directions = orthogonalized(torch.stack([matrices[place] for place in places]))
            for place, direction in zip(places, directions, strict=True):
                weights = parameters[place]
                weights.add_(_weights(direction, weights.shape), alpha=-length)

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = _gradients(parameters)
        means, squares = self._remembered("mean", parameters), self._remembered("square", parameters)
        for parameter in parameters:
            self.state[parameter]["step"] = self.state[parameter].get("step", 0) + 1
        step = self.state[parameters[0]]["step"]
        first, second = group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        spread = torch._foreach_sqrt(squares)
        torch._foreach_div_(spread, math.sqrt(1 - second**step))
        torch._foreach_add_(spread, 1e-8)
        torch._foreach_addcdiv_(parameters, means, spread, -group["lr"] / (1 - first**step))

    def _remembered(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _matrix(weights: Tensor) -> Tensor:
    """Weights (m, i, ...) as a matrix (m, n), in the order in which channels-last weights lie in memory."""
    return weights.movedim(1, -1).flatten(1)


def _weights(matrix: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of ``_matrix``."""
    return matrix.reshape(shape[0], *shape[2:], shape[1]).movedim(-1, 1)


def orthogonalized(matrices: Tensor) -> Tensor:
    """Matrices (K, m, n) with the same singular vectors and singular values between 0.6 and 1.2.

    The iteration runs on the small m x m products, which for wide convolutions is a third of the work.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        upright: Tensor = orthogonalized(matrices.mT).mT
        return upright
    scaled = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    product = scaled @ scaled.mT
    linear, cubic, quintic = COEFFICIENTS
    turn = product
    for iteration in range(ITERATIONS):
        factor = torch.baddbmm(product, product, product, beta=cubic, alpha=quintic)
        factor.diagonal(dim1=-2, dim2=-1).add_(linear)
        turn = factor @ turn if iteration else factor
        if iteration < ITERATIONS - 1:
            product = factor @ product @ factor
    directions: Tensor = turn @ scaled
    return directions
