"""Losses fall when predictions get better, and stay finite where there is nothing to learn from."""

from __future__ import annotations

import pytest
import torch

from trainer.detection.assignment import Truth
from trainer.detection.boxes import encode_boxes
from trainer.detection.losses import detection_loss, distribution_focal_loss
from trainer.detection.network import Predictions, prediction_points

POINTS, STRIDES = prediction_points(64, 64, torch.device("cpu"))
BINS = 12
BOX = torch.tensor([12.0, 12.0, 44.0, 44.0])
TRUTH = Truth(BOX[None, None], torch.tensor([[1]]), torch.tensor([[True]]))
NOTHING = Truth(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0).bool())


def predictions(shift: float = 0.0, confidence: float = 4.0) -> Predictions:
    """All points predict ``BOX`` moved by ``shift`` pixels; points inside it claim class 1."""
    distances = encode_boxes((BOX + shift).expand(len(POINTS), 4), POINTS, STRIDES).clamp(0, BINS - 1.01)
    lower = distances.floor().long()
    share = distances - lower
    values = torch.full((len(POINTS), 4, BINS), 1e-9)
    values.scatter_(2, lower[..., None], (1 - share)[..., None].clamp(min=1e-9))
    values.scatter_(2, lower[..., None] + 1, share[..., None].clamp(min=1e-9))
    inside = ((BOX[:2] < POINTS) & (BOX[2:] > POINTS)).all(1)
    logits = torch.full((len(POINTS), 3), -confidence)
    logits[inside, 1] = confidence
    return Predictions(logits[None].requires_grad_(), values.log()[None].requires_grad_(), POINTS, STRIDES)


def test_boxes_in_the_right_place_cost_less_than_boxes_beside_it() -> None:
    right, beside = detection_loss(predictions(), TRUTH), detection_loss(predictions(shift=6), TRUTH)
    assert right.boxes < 0.02 < beside.boxes
    assert right.sides < beside.sides


def test_the_total_is_the_sum_of_the_parts() -> None:
    losses = detection_loss(predictions(shift=3), TRUTH)
    assert losses.total.item() == pytest.approx(sum(part.item() for part in losses[1:]), rel=1e-5)


def test_the_right_class_costs_less_than_the_wrong_one() -> None:
    wrong = TRUTH._replace(labels=torch.tensor([[2]]))
    assert detection_loss(predictions(), TRUTH).classes < detection_loss(predictions(), wrong).classes


def test_a_picture_without_objects_only_pushes_scores_down() -> None:
    given = predictions()
    losses = detection_loss(given, NOTHING)
    assert losses.boxes == 0
    assert losses.sides == 0
    losses.total.backward()
    assert given.logits.grad is not None
    assert bool((given.logits.grad > 0).all())


def test_gradients_are_finite_at_a_random_start() -> None:
    torch.manual_seed(1)
    logits = torch.randn(1, len(POINTS), 3, requires_grad=True)
    distributions = torch.randn(1, len(POINTS), 4, BINS, requires_grad=True)
    detection_loss(Predictions(logits, distributions, POINTS, STRIDES), TRUTH).total.backward()
    assert logits.grad is not None
    assert distributions.grad is not None
    assert bool(torch.isfinite(logits.grad).all() & torch.isfinite(distributions.grad).all())


def test_focal_loss_of_sides_is_least_at_the_true_distance_and_cuts_what_is_too_far() -> None:
    sharp = torch.full((1, 4, BINS), -20.0)
    sharp[..., 3] = 20.0
    at = distribution_focal_loss(sharp, torch.full((1, 4), 3.0)).item()
    off = distribution_focal_loss(sharp, torch.full((1, 4), 5.0)).item()
    far = distribution_focal_loss(sharp, torch.full((1, 4), 500.0)).item()
    assert at < 1e-3 < off
    assert torch.isfinite(torch.tensor(far))
