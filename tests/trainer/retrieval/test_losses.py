"""The three losses: small where classes lie apart, large where they mix, and what they are by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from trainer.retrieval.losses import LOSSES, circle_loss, margin_loss, nca_loss, pairwise_distances

APART = torch.tensor([[1.0, 0], [1.0, 0], [0, 1.0], [0, 1.0]])
MIXED = torch.tensor([[1.0, 0], [0, 1.0], [1.0, 0], [0, 1.0]])
LABELS = torch.tensor([0, 0, 1, 1])
every_loss = pytest.mark.parametrize("name", sorted(LOSSES))


@every_loss
def test_classes_apart_are_better_than_classes_mixed(name: str) -> None:
    apart, mixed = LOSSES[name](APART, LABELS, 0.5), LOSSES[name](MIXED, LABELS, 0.5)
    assert apart.total < mixed.total
    assert apart.active < mixed.active


@every_loss
def test_descending_the_gradient_brings_classes_together(name: str) -> None:
    """From random vectors to every nearest neighbour of the own class."""
    random = torch.Generator().manual_seed(2)
    raw = torch.randn((24, 8), generator=random, requires_grad=True)
    labels = torch.arange(24) % 4
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        LOSSES[name](functional.normalize(raw), labels, 0.5).total.backward()
        optimizer.step()
    distances = pairwise_distances(functional.normalize(raw.detach())).fill_diagonal_(9)
    assert torch.equal(labels[distances.argmin(1)], labels)


@every_loss
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0, 0, 0, 1]])
def test_batches_without_pairs_are_no_trouble(name: str, labels: list[int]) -> None:
    """One class only, or no two pictures of one class: nothing to learn, but numbers all the same."""
    vectors = functional.normalize(torch.randn((4, 3), generator=torch.Generator().manual_seed(1)))
    vectors.requires_grad_()
    losses = LOSSES[name](vectors, torch.tensor(labels), 0.5)
    losses.total.backward()
    assert math.isfinite(losses.total.item())
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


@every_loss
def test_identical_pictures_have_a_finite_gradient(name: str) -> None:
    """The root of a distance of zero has none by itself."""
    vectors = torch.ones((4, 2), requires_grad=True)
    LOSSES[name](functional.normalize(vectors), LABELS, 0.5).total.backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_the_margin_loss_by_hand() -> None:
    """Positives at distance 0, negatives at the root of 2: a margin of 1 is kept, one of 1.5 is not."""
    assert margin_loss(APART, LABELS, 1.0).total == 0
    wide = margin_loss(APART, LABELS, 1.5)
    assert wide.total.item() == pytest.approx(1.5 - math.sqrt(2), abs=1e-3)
    assert wide.active == 1


def test_the_nca_loss_by_hand() -> None:
    """One positive at 0 and two negatives at squared distance 2: exp(-20) each."""
    expected = math.log(1 + 2 * math.exp(-20))
    assert nca_loss(APART, LABELS, 0.0).total.item() == pytest.approx(expected, abs=1e-6)


def test_the_circle_loss_is_at_rest_where_pairs_are_in_place() -> None:
    """Cosines 1 and 0 with m = 0.25: both terms are at their optimum's far side."""
    assert circle_loss(APART, LABELS, 0.25).active == 0
