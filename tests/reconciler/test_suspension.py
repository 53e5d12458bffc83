"""A suspension whose time is over is said everywhere until somebody takes it out of the spec."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from generator.spec.runs import Suspend
from reconciler.desired import Desired
from reconciler.exitcode import ExitCode
from reconciler.health import Health, Reason
from reconciler.notify import Memory, notices
from reconciler.plan_model import Action
from reconciler.report.markdown import status_markdown
from reconciler.report.text import plan_text, status_text
from reconciler.status import Status, status
from tests.reconciler.builders import SCENARIO, World, configuration, desired, execution
from tests.reconciler.fake import START

UNTIL = START + timedelta(hours=2)
RESTS = Suspend(reason="Budget review", until=UNTIL)
ADDRESS = f"execution/{SCENARIO}/baseline"


def resting(suspend: Suspend | None = RESTS) -> Desired:
    one = configuration()
    return desired([one], [replace(execution(one), suspend=suspend)])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, resting())


def shown(world: World) -> Status:
    return status(world.want, world.observe(), {})


def test_nothing_is_said_before_and_nothing_starts(world: World) -> None:
    """Until then it rests, looks well, and says why."""
    made = world.plan()
    assert (made.warnings, [c.action for c in made.changes if c.category == "run"]) == ((), [])
    (row,) = [row for row in shown(world).rows if row.address == ADDRESS]
    assert (row.health, row.message, row.alert) == (
        Health.SUSPENDED,
        f"Budget review until {UNTIL.isoformat()}",
        "",
    )


@pytest.mark.parametrize(("late", "over"), [(timedelta(seconds=-1), False), (timedelta(), True)])
def test_afterwards_it_goes_on_and_the_plan_warns(world: World, late: timedelta, over: bool) -> None:
    """A warning with the command to run, which changes no exit code; at the very moment, not before."""
    world.server.clock.moment = UNTIL + late
    made = world.plan()
    assert [problem.code for problem in made.warnings] == (["suspension-over"] if over else [])
    assert any(change.action is Action.LAUNCH for change in made.changes) is over
    if over:
        assert f"corespec resume {ADDRESS}" in plan_text(made)
    world.apply()
    world.server.finish()
    world.change(resting())
    assert world.plan().exit_code is ExitCode.CONVERGED


def test_status_shows_it_in_every_form_although_all_is_healthy(world: World) -> None:
    """As long as the block is there."""
    world.server.clock.moment = UNTIL
    world.apply()
    world.server.finish()
    found = shown(world)
    (row,) = [row for row in found.rows if row.alert]
    assert (row.address, row.health) == (ADDRESS, Health.HEALTHY)
    assert "alert: suspended until" in status_text(found)
    assert "suspended until" in status_markdown(found)
    assert [one["alert"] for one in found.document()["rows"] if one["alert"]] == [row.alert]
    world.change(resting(None))
    assert not any(row.alert for row in shown(world).rows)


def test_somebody_is_told_once(world: World, tmp_path: Path) -> None:
    """As an error, because it needs a person; again only after it was gone."""
    memory = Memory(tmp_path / "memory.json")
    world.server.clock.moment = UNTIL
    told = [one for one in notices(shown(world), "c", memory) if one.reason == "SuspensionOver"]
    assert [(one.object, one.severity) for one in told] == [(f"{ADDRESS}#suspend", "error")]
    assert not [one for one in notices(shown(world), "c", memory) if one.reason == "SuspensionOver"]


def test_what_it_was_before_stays_in_sight(world: World) -> None:
    """A failed run that would be tried again: the reason of the suspension, and that."""
    world.change(resting(None))
    world.apply()
    world.server.finish(status="DEAD", message="out of memory")
    world.change(resting())
    (row,) = [row for row in shown(world).rows if row.address == ADDRESS]
    assert row.reason is Reason.SUSPENDED
    assert row.message.startswith(f"Budget review until {UNTIL.isoformat()}; before: Retrying retry 1 of 2")
    assert row.execution == world.server.executions[0]["id"]
