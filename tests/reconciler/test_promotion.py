"""The choice of a model, for any runs and figures: never a worse one for a better one, whatever the order."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import DesiredBest
from reconciler.figures import last_values, lower_is_better
from reconciler.live import Metric, Metrics
from reconciler.promotion import SPLITS, Model, choose
from tests.reconciler.fake import START

METRIC = "mAP/allClasses"
figures = st.none() | st.dictionaries(st.sampled_from(SPLITS), st.sampled_from([0.1, 0.5, 0.7, 0.8, 0.9]))
limits = st.none() | st.sampled_from([0.0, 0.5, 0.75, 1.0])
metrics = st.sampled_from([METRIC, "loss"])


def model(number: int, values: dict[str, float] | None) -> Model:
    return Model(f"e{number}", START + timedelta(minutes=number // 2), "model", f"a{number}", values)


def models(found: list[dict[str, float] | None]) -> list[Model]:
    return [model(number, values) for number, values in enumerate(found)]


def want(metric: str = METRIC, at_least: float | None = None) -> DesiredBest:
    return DesiredBest((), ("baseline", "sweep"), metric, at_least)


def reaches(value: float, best: DesiredBest) -> bool:
    if best.at_least is None:
        return True
    return value <= best.at_least if lower_is_better(best.metric) else value >= best.at_least


@given(st.lists(figures, max_size=6), st.none() | st.integers(0, 5), metrics, limits, st.randoms())
def test_the_order_of_the_runs_is_irrelevant(found, serving, metric, limit, random) -> None:
    """The same runs in any order give the same model, for the same reason."""
    all_models = models(found)
    now = all_models[serving] if serving is not None and serving < len(all_models) else None
    shuffled = list(all_models)
    random.shuffle(shuffled)
    assert choose(want(metric, limit), shuffled, now) == choose(want(metric, limit), all_models, now)


@given(st.lists(figures, max_size=6), figures, metrics, limits)
def test_what_replaces_a_model_is_strictly_better_and_eligible(found, values, metric, limit) -> None:
    """On a split that both have; and a model that serves is never taken away for nothing."""
    serving, best = model(99, values), want(metric, limit)
    chosen = choose(best, models(found), serving).model
    assert chosen is not None
    if chosen == serving:
        return
    assert chosen.value is not None
    assert reaches(chosen.value, best)
    assert serving.split is not None
    assert serving.value is not None
    new, old = (chosen.figures or {})[serving.split], serving.value
    assert new < old if lower_is_better(metric) else new > old


@given(st.lists(figures, max_size=6), metrics, limits)
def test_the_first_model_is_the_best_eligible_one(found, metric, limit) -> None:
    """Without a server: None exactly when no run is measured and eligible; never one below the limit."""
    best = want(metric, limit)
    eligible = [m for m in models(found) if m.value is not None and reaches(m.value, best)]
    chosen = choose(best, models(found), None).model
    assert (chosen is None) == (not eligible)
    if chosen is not None:
        same_split = [
            m for m in eligible if m.split == min(eligible, key=lambda m: SPLITS.index(m.split)).split
        ]
        top = (min if lower_is_better(metric) else max)(m.value for m in same_split)
        first = min((m for m in same_split if m.value == top), key=lambda m: (m.created_at, m.run))
        assert chosen == first


@given(st.lists(figures, max_size=6), metrics, limits)
def test_choosing_again_changes_nothing(found, metric, limit) -> None:
    """What has been promoted keeps its place until something else completes."""
    best = want(metric, limit)
    first = choose(best, models(found), None).model
    if first is not None:
        assert choose(best, models(found), first).model == first


@given(st.lists(figures, min_size=1, max_size=6), metrics, limits, st.integers(0, 5))
def test_promotion_comes_to_rest(found, metric, limit, start) -> None:
    """From any model, each round's choice serving in the next: no circle, at most one change for each run."""
    best, all_models = want(metric, limit), models(found)
    serving = all_models[start % len(all_models)]
    for _ in all_models:
        chosen = choose(best, all_models, serving).model
        assert chosen is not None
        serving = chosen
    assert choose(best, all_models, serving).model == serving


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_no_figure(value: float) -> None:
    """A training that has diverged wins nothing, whichever way the metric counts."""
    values = last_values(Metrics("e1", (Metric(METRIC, value, 1, None, {"data_split": "test"}),)), "test")
    assert values == {}
    choice = choose(want(), [model(1, values)], None)
    assert choice.model is None
    assert "has tracked mAP/allClasses on test or validation" in choice.reason


def test_what_was_not_read_is_not_called_absent() -> None:
    """Unread figures decide nothing: neither a candidate's nor those of the model that serves."""
    assert "was not evaluated" in choose(want(), [model(1, None)], None).reason
    choice = choose(want(), [model(1, {"test": 0.9})], model(2, None))
    assert (choice.model, choice.stuck) == (model(2, None), True)
    assert "was not evaluated" in choice.reason


@pytest.mark.parametrize(
    ("limit", "others", "said"),
    [
        (None, [], "e9 (mAP/allClasses 0.7 on test)"),
        (None, [{"test": 0.5}], "best candidate e0 0.5 is not better"),
        (0.6, [{"test": 0.5}], "best candidate e0 0.5 does not reach atLeast 0.6"),
        (0.8, [], "it does not reach atLeast 0.8, and nothing else does"),
        (None, [{"validation": 0.9}], "cannot be compared with it"),
    ],
)
def test_why_a_model_stays_is_said(limit: float | None, others: list[dict[str, float]], said: str) -> None:
    choice = choose(want(at_least=limit), models(list(others)), model(9, {"test": 0.7}))
    assert choice.model == model(9, {"test": 0.7})
    assert said in choice.reason


def test_why_there_is_no_model_is_said() -> None:
    assert choose(want(), [], None).reason == "no completed run of baseline, sweep with a model yet"
    below = choose(want(at_least=0.8), [model(1, {"test": 0.71})], None)
    assert below.reason == "best mAP/allClasses is 0.71 (e1 on test), atLeast 0.8"
