"""Executions that wait: for others, for their outputs, for the time, for hours on a GPU."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from generator.spec.operations import Policy, Window
from generator.spec.runs import Suspend
from reconciler.bindings import bind
from reconciler.desired import Desired, DesiredConfiguration, DesiredExecution, DesiredOutput
from reconciler.exitcode import ExitCode
from reconciler.health import Health, Reason
from reconciler.plan_model import Action, Plan
from reconciler.status import status
from tests.reconciler.builders import SCENARIO, World, configuration, desired, execution

TRAIN = f"execution/{SCENARIO}/train"
BATCH = f"execution/{SCENARIO}/batch"


def batch(output: str = "model") -> DesiredConfiguration:
    """A configuration that reads what `train` writes."""
    made = configuration("batch", {"rate": "0.2"})
    return replace(made, full_name="", inputs={**made.inputs, "modelin": DesiredOutput(TRAIN, output)})


def chain(**fields: object) -> Desired:
    """`batch` reads the output of `train`; the fields are those of the execution `train`."""
    train, reading = configuration("train"), batch()
    first = replace(execution(train), **fields)  # type: ignore[arg-type]
    want = desired([train, replace(reading, inputs=train.inputs)], [])
    return replace(want, configurations=(reading, train), executions=(execution(reading), first))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, chain())


def actions(made: Plan) -> dict[str, tuple[Action, str]]:
    return {
        change.address: (change.action, change.reason)
        for change in made.changes
        if "execution" in change.address
    }


def created(world: World) -> list[str]:
    return sorted(item["name"].rpartition("--")[0] for item in world.server.configurations)


def test_a_reader_waits_until_the_output_is_there(world: World) -> None:
    """Its configuration cannot exist before: it binds an artifact that nobody has made yet."""
    world.apply()
    assert created(world) == ["train"]
    assert actions(world.plan())[BATCH] == (Action.WAIT, f"waits for {TRAIN}")
    world.server.finish(outputs=["model"])
    world.apply()
    assert created(world) == ["batch", "train"]
    bound = next(c for c in world.server.configurations if c["name"].startswith("batch--"))
    (model,) = [a for a in world.server.artifacts if a["name"] == "model"]
    assert {"key": "modelin", "artifactId": model["id"]} in bound["inputArtifactBindings"]


def test_apply_then_plan_is_empty_along_a_chain(world: World) -> None:
    for _ in range(2):
        world.apply()
        world.server.finish(outputs=["model"])
    assert world.plan().empty
    assert world.plan().exit_code is ExitCode.CONVERGED


def test_a_later_run_of_the_producer_changes_nothing_and_a_moved_rerun_time_does(world: World) -> None:
    """The first completed run that counts is the one whose output is read."""
    for _ in range(2):
        world.apply()
        world.server.finish(outputs=["model"])
    (train,) = [c for c in world.server.configurations if c["name"].startswith("train--")]
    world.server.post("/lm/executions", {"configurationId": train["id"]})
    world.server.finish(outputs=["model"])
    assert world.plan().empty
    world.server.clock.sleep(60)
    moved = replace(execution(configuration("train")).budget, rerun_after=world.server.clock.now())
    world.change(chain(budget=moved))
    assert actions(world.plan())[BATCH][0] is Action.WAIT
    for _ in range(2):
        world.apply()
        world.server.finish(outputs=["model"])
    assert len([c for c in world.server.configurations if c["name"].startswith("batch--")]) == 2
    assert world.plan().empty


def test_an_earlier_run_that_completes_later_changes_nothing(tmp_path: Path) -> None:
    """Two runs side by side: the reader has begun with the model that was there first, and keeps it."""
    world = World(tmp_path, chain(budget=replace(execution(configuration("train")).budget, want=2)))
    world.apply()
    first, second = (run["id"] for run in world.server.executions)
    world.server.clock.sleep(60)
    world.server.finish(second, outputs=["model"])
    world.change(chain())  # one is enough now
    world.apply()
    world.server.clock.sleep(60)
    world.server.finish(first, outputs=["model"])
    world.server.finish(outputs=["model"])
    assert world.plan().empty
    assert created(world).count("batch") == 1


def test_a_failure_blocks_only_those_that_depend_on_it(tmp_path: Path) -> None:
    other = configuration("other", {"rate": "0.9"})
    want = chain(budget=replace(execution(configuration("train")).budget, retries=0))
    world = World(
        tmp_path,
        replace(
            want,
            configurations=(*want.configurations, other),
            executions=(*want.executions, execution(other)),
        ),
    )
    world.apply()
    world.server.finish(status="DEAD", only="train")
    made = world.plan()
    assert actions(made)[BATCH] == (Action.WAIT, f"blocked: {TRAIN} failed")
    assert made.exit_code is ExitCode.NOT_HEALTHY
    rows = {row.address: row for row in status(world.want, world.observe(), {}).rows}
    assert (rows[BATCH].health, rows[BATCH].reason) == (Health.MISSING, Reason.WAITING_FOR_DEPENDENCY)
    assert rows[f"execution/{SCENARIO}/other"].health is Health.PROGRESSING


def test_a_run_without_the_output_is_said(world: World) -> None:
    world.apply()
    world.server.finish(outputs=["something-else"])
    assert actions(world.plan())[BATCH] == (
        Action.WAIT,
        f"{TRAIN} has completed without the output that is wanted",
    )


def test_depends_on_alone_orders_runs(tmp_path: Path) -> None:
    first, second = configuration("first"), configuration("second", {"rate": "0.2"})
    after = replace(execution(second), depends_on=(f"execution/{SCENARIO}/first",))
    world = World(tmp_path, desired([first, second], [execution(first), after]))
    world.apply()
    assert [run["configurationName"].rpartition("--")[0] for run in world.server.executions] == ["first"]
    world.server.finish()
    world.apply()
    assert len(world.server.executions) == 2


def test_waiting_runs_do_not_count_against_the_launch_limit(tmp_path: Path) -> None:
    """Nobody has to allow two launches where only one can start."""
    world = World(tmp_path, chain(), policy=Policy(max_launches_per_apply=1, max_concurrent=1))
    assert world.plan().errors == ()


def suspended(world: World, until: timedelta | None) -> DesiredExecution:
    moment = world.server.clock.now() + until if until else None
    return replace(execution(configuration()), suspend=Suspend(reason="Review", until=moment))


def test_a_suspended_execution_starts_nothing_and_looks_well(world: World) -> None:
    """Suspended is not failed: exit code 0, and the reason is shown."""
    world.change(desired([configuration()], [suspended(world, timedelta(hours=1))]))
    world.apply()
    assert world.server.executions == []
    assert world.plan().exit_code is ExitCode.CONVERGED
    (row,) = [r for r in status(world.want, world.observe(), {}).rows if r.address.startswith("execution/")]
    assert (row.health, row.reason) == (Health.SUSPENDED, Reason.SUSPENDED)
    assert row.message.startswith("Review until ")


def test_a_suspension_ends_by_itself(world: World) -> None:
    world.change(desired([configuration()], [suspended(world, timedelta(hours=1))]))
    world.server.clock.sleep(3600)
    world.apply()
    assert len(world.server.executions) == 1


def test_a_retry_waits_for_its_backoff_twice_as_long_each_time(tmp_path: Path) -> None:
    budget = replace(execution(configuration()).budget, retries=3, backoff=timedelta(minutes=10))
    world = World(tmp_path, desired([configuration()], [replace(execution(configuration()), budget=budget)]))
    world.apply()
    for failures, minutes in ((1, 10), (2, 20)):
        world.server.finish(status="DEAD")
        world.server.clock.sleep(minutes * 60 - 1)
        (held,) = actions(world.plan()).values()
        assert held[0] is Action.WAIT
        assert "held back by backoff until" in held[1]
        world.server.clock.sleep(1)
        world.apply()
        assert len(world.server.executions) == failures + 1


def test_a_closed_window_holds_launches_back_and_says_until_when(tmp_path: Path) -> None:
    never = Window.model_validate({"kind": "allow", "cron": "0 0 31 2 *", "duration": "1h"})
    policy = Policy(max_launches_per_apply=9, max_concurrent=9, windows=(never,))
    world = World(tmp_path, desired(), policy=policy)
    world.apply()
    assert world.server.executions == []
    ((action, reason),) = actions(world.plan()).values()
    assert (action, reason.partition("held back by ")[2]) == (Action.WAIT, "outside of every allowed window")


def test_gpu_hours_of_a_day_hold_back_only_runs_on_gpus(tmp_path: Path) -> None:
    on_gpu = replace(execution(configuration("a")), on_gpu=True)
    other = replace(execution(configuration("b", {"rate": "0.2"})), on_gpu=True)
    policy = Policy(max_launches_per_apply=9, max_concurrent=9, max_gpu_hours_per_day=2)
    world = World(tmp_path, desired([on_gpu.configuration], [on_gpu]), policy=policy)
    world.apply()
    world.server.start()
    world.server.clock.sleep(2 * 3600)
    world.server.finish()
    world.change(desired([on_gpu.configuration, other.configuration], [on_gpu, other]))
    ((action, reason),) = actions(world.plan()).values()
    assert (action, "maxGpuHoursPerDay: 2.0 of 2 hours" in reason) == (Action.WAIT, True)
    world.change(desired([on_gpu.configuration, other.configuration], [on_gpu, replace(other, on_gpu=False)]))
    assert [action for action, _ in actions(world.plan()).values()] == [Action.LAUNCH]
    world.change(desired([on_gpu.configuration, other.configuration], [on_gpu, other]))
    world.server.clock.sleep(25 * 3600)
    assert [action for action, _ in actions(world.plan()).values()] == [Action.LAUNCH]


@pytest.mark.parametrize("protect", [False, True])
def test_a_protected_run_outlives_its_timeout(tmp_path: Path, protect: bool) -> None:
    timed = execution(configuration(), timeout=timedelta(hours=1))
    world = World(tmp_path, desired([configuration()], [replace(timed, protect=protect)]))
    world.apply()
    world.server.start()
    world.server.clock.sleep(2 * 3600)
    assert [action for action, _ in actions(world.plan()).values()] == ([] if protect else [Action.STOP])


def test_nothing_is_bound_where_nothing_waits(world: World) -> None:
    want = desired()
    assert bind(want, world.observe()) is want
