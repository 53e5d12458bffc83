"""One object at fault: how long it is left out, what goes with it, and what goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.backoff import Backoffs, leave_out
from reconciler.loop import Pace
from reconciler.plan_model import Action, Category, Change, Plan, Stage, StageName
from tests.reconciler.builders import World, configuration, dataset, desired

PACE = Pace(interval=300, retry_interval=30)
ADDRESS = "configuration/meters/a"


@pytest.mark.parametrize(
    ("others", "pauses"), [(False, (30, 60, 120, 240, 300, 300)), (True, (60, 120, 240, 300, 300))]
)
def test_the_pause_grows_and_is_longer_than_the_next_round_is_away_where_others_wait(
    others: bool, pauses: tuple[int, ...]
) -> None:
    backoffs = Backoffs()
    for pause in pauses:
        assert backoffs.failed(ADDRESS, PACE, 1000, terminal=False, others=others)
        assert backoffs.held(1000 + pause - 0.1) == {ADDRESS}
        assert backoffs.held(1000 + pause) == frozenset()
        assert backoffs.due(1000) == pause


def test_what_fails_for_good_waits_for_the_interval() -> None:
    backoffs = Backoffs()
    backoffs.failed(ADDRESS, PACE, 0, terminal=True)
    assert backoffs.due(0) == 300


def test_success_and_a_new_commit_end_the_pause() -> None:
    backoffs = Backoffs()
    for end in (lambda: backoffs.succeeded(ADDRESS), backoffs.forget):
        backoffs.failed(ADDRESS, PACE, 0, terminal=False)
        backoffs.failed(ADDRESS, PACE, 0, terminal=False)
        end()
        assert backoffs.due(0) is None
        assert backoffs.failed(ADDRESS, PACE, 0, terminal=False)
        assert backoffs.due(0) == 30, "counted from the beginning"


@pytest.mark.parametrize("address", ["application/a", "repository/r", "template/t", "branch/main", ""])
def test_what_everything_needs_is_not_left_out(address: str) -> None:
    assert not Backoffs().failed(address, PACE, 0, terminal=False)


def plan_of(root: Path) -> Plan:
    """Three configurations: a and b share the dataset `shared`, c has its own."""
    shared, own = dataset("shared"), dataset("own")
    wanted = [configuration(name, {"rate": name}, shared) for name in "ab"]
    return World(root, desired([*wanted, configuration("c", {"rate": "c"}, own)])).plan()


def left(plan: Plan) -> set[str]:
    return {change.address for change in plan.changes}


def test_what_needs_it_goes_with_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    gone = left(plan) - left(leave_out(plan, {"dataset/meters/shared"}))
    assert gone == {
        "dataset/meters/shared",
        *(f"{kind}/meters/{name}" for kind in ("configuration", "execution") for name in "ab"),
    }
    gone = left(plan) - left(leave_out(plan, {ADDRESS}))
    assert gone == {ADDRESS, "execution/meters/a"}


def test_nothing_held_is_the_whole_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert leave_out(plan, ()).digest == plan.digest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("plan"))


@given(data=st.data())
def test_left_out_is_the_held_and_what_needs_it_and_nothing_else(data: st.DataObject, whole: Plan) -> None:
    addresses = sorted(left(whole))
    held = data.draw(st.sets(st.sampled_from(addresses)))
    kept = left(leave_out(whole, held))
    needs = {f"execution/meters/{n}": {f"configuration/meters/{n}"} for n in "abc"}
    needs |= {f"configuration/meters/{n}": {"dataset/meters/shared"} for n in "ab"}
    needs["configuration/meters/c"] = {"dataset/meters/own"}
    for address in addresses:
        blocked = address in held or any(need not in kept for need in needs.get(address, ()))
        assert (address in kept) is not blocked


def test_a_run_is_stopped_although_its_execution_is_left_out() -> None:
    """What runs past its timeout costs money."""
    stop = Change("execution/meters/a", Action.STOP, Category.RUN, "too long")
    plan = Plan("local", (Stage(StageName.STOP, (stop,)),))
    assert leave_out(plan, {"execution/meters/a"}).changes == (stop,)
