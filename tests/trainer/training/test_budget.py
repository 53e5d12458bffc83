"""Budgets of steps and minutes, the learning rate along them, and when an evaluation is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.budget import Budget, evaluation_due, learning_rate_factor


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_minutes_only_steps_count() -> None:
    clock = Clock()
    budget = Budget(200, clock=clock)
    budget.start()
    clock.now += 1e6
    assert budget.fraction(50) == 0.25
    assert not budget.exhausted(199)
    assert budget.exhausted(200)


def test_whichever_runs_out_first_ends_the_training() -> None:
    clock = Clock()
    budget = Budget(1000, maximum_seconds=60, clock=clock)
    budget.start()
    clock.now += 30
    assert budget.fraction(10) == 0.5
    assert budget.fraction(800) == 0.8
    clock.now += 30
    assert budget.exhausted(801)


def test_the_reserve_ends_the_steps_early_and_time_never_runs_backwards() -> None:
    clock = Clock()
    budget = Budget(1000, maximum_seconds=100, clock=clock, reserve=20)
    budget.start()
    clock.now += 80
    assert budget.exhausted(1)
    budget.reserve = 0
    assert budget.fraction(1) == 1.0


def test_a_resumed_run_has_spent_what_the_first_one_did() -> None:
    clock = Clock()
    budget = Budget(1000, maximum_seconds=100, clock=clock, spent=40)
    budget.start()
    clock.now += 10
    assert budget.elapsed() == 50
    assert budget.fraction(0) == 0.5
    assert budget.remaining_seconds(0) == 50


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_the_learning_rate_warms_up_and_never_exceeds_its_peak(a: float, b: float, decay: bool) -> None:
    early, late = sorted((a, b))
    first, second = (learning_rate_factor(x, decay=decay) for x in (early, late))
    assert 0 < first <= 1
    if early >= 0.05:
        assert second <= first if decay else second == first == 1


def test_decay_ends_at_one_hundredth() -> None:
    assert learning_rate_factor(1.0, decay=True) == pytest.approx(0.01)
    assert learning_rate_factor(0.05, decay=True) == pytest.approx(1.0)


@pytest.mark.parametrize(("frequency", "expected"), [(0.1, 10), (0.25, 4), (1.0, 1), (30.0, 3)])
def test_evaluations_come_as_often_as_the_parameter_says(frequency: float, expected: int) -> None:
    """100 steps; above 1 the frequency is a number of steps."""
    due = [step for step in range(1, 101) if evaluation_due((step - 1) / 100, step / 100, step, frequency)]
    assert len(due) == expected
