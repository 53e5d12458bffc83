"""Muon: directions without lengths for convolutions, AdamW for the rest."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from trainer.training.muon import FACTOR, Muon, orthogonalized


@pytest.mark.parametrize("shape", [(2, 24, 60), (1, 60, 24), (3, 16, 16)])
def test_singular_values_become_about_one_and_singular_vectors_stay(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 37
    made = orthogonalized(matrices)
    values = torch.linalg.svdvals(made)
    assert 0.3 < values.min() <= values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.mT @ made @ right.mT
    off = turned - torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-2


def test_nothing_stays_nothing() -> None:
    assert torch.equal(orthogonalized(torch.zeros(1, 3, 5)), torch.zeros(1, 3, 5))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_length_of_a_step_does_not_depend_on_the_gradient(order: torch.memory_format) -> None:
    steps = []
    for scale in (1.0, 1000.0):
        weights = nn.Parameter(torch.zeros(8, 4, 3, 3).contiguous(memory_format=order))
        gradient = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(2))
        weights.grad = scale * gradient
        Muon([weights], [], learning_rate=0.01, weight_decay=0.0).step()
        steps.append(weights.detach().clone())
        assert float((weights.detach() * gradient).sum()) < 0, "against the gradient"
    torch.testing.assert_close(steps[0], steps[1], atol=1e-5, rtol=1e-3)
    assert 0.3 * 0.01 * FACTOR < float(torch.linalg.matrix_norm(steps[0].flatten(1), 2)) < 1.3 * 0.01 * FACTOR


def test_what_is_no_convolution_is_trained_as_by_adamw() -> None:
    random = torch.Generator().manual_seed(3)
    ours = nn.Linear(5, 3)
    theirs = copy.deepcopy(ours)
    first = Muon([], ours.parameters(), 0.01, 0.05)
    groups = [
        {"params": [theirs.weight], "weight_decay": 0.05},
        {"params": [theirs.bias], "weight_decay": 0.0},
    ]
    second = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.99))
    for _ in range(5):
        inputs = torch.randn(7, 5, generator=random)
        for layer, optimizer in ((ours, first), (theirs, second)):
            optimizer.zero_grad()
            layer(inputs).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_a_resumed_optimizer_goes_on_as_if_nothing_had_happened() -> None:
    def trained(steps: int, layer: nn.Conv2d, optimizer: Muon, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            optimizer.zero_grad()
            layer(torch.randn(2, 4, 6, 6, generator=random)).square().mean().backward()
            optimizer.step()

    def make(layer: nn.Conv2d) -> Muon:
        weight, bias = layer.parameters()
        return Muon([weight], [bias], 0.01, 0.05)

    layer = nn.Conv2d(4, 8, 3)
    optimizer = make(layer)
    trained(3, layer, optimizer, 1)
    other = copy.deepcopy(layer)
    resumed = make(other)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    trained(3, layer, optimizer, 2)
    trained(3, other, resumed, 2)
    assert torch.equal(layer.weight, other.weight)
    assert layer.bias is not None
    assert other.bias is not None
    assert torch.equal(layer.bias, other.bias)
