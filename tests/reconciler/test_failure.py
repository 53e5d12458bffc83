"""Infrastructure told apart from code and data: a fixture for each state, and what follows from it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler import wire
from reconciler.errors import NotFoundError, TransientError
from reconciler.exitcode import ExitCode
from reconciler.failure import Failure, FailureClass, classify
from reconciler.health import RunBudget, runs
from reconciler.live import Execution
from reconciler.observe import observe
from reconciler.plan import plan
from reconciler.plan_model import Action, Plan
from reconciler.postmortem import Verdicts
from reconciler.report.text import plan_text
from reconciler.status import status
from tests.reconciler.builders import SCENARIO, World, configuration, desired, execution
from tests.reconciler.fake import START

CASES = yaml.safe_load((Path(__file__).parent / "testdata" / "failures.yaml").read_text())
INFRASTRUCTURE, BAD_DATA = "OOMKilled (exit code 137)", "Error (exit code 2)"
ADDRESS = f"execution/{SCENARIO}/baseline"


def dead(case: dict[str, Any]) -> Execution:
    """A run as AI Core would answer it."""
    moment = "2026-01-02T03:04:05Z"
    item = {"id": "e1", "configurationId": "c1", "configurationName": "c", "scenarioId": SCENARIO}
    item |= {"status": "DEAD", "targetStatus": "COMPLETED", "createdAt": moment, "modifiedAt": moment}
    said = {"statusMessage": case.get("message"), "statusDetails": case.get("details", {})}
    return wire.execution(item | said)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_every_state(case: dict[str, Any]) -> None:
    """Through the reading of the answer: class, whether it repeats, and the words that decide, quoted."""
    run = dead(case)
    found = classify(run.message, run.details, case.get("log", ()))
    assert (found.kind.value, found.repeats) == (case["class"], case.get("repeats", False))
    said = [run.message, *run.details, *case.get("log", ())]
    assert found.kind is FailureClass.UNKNOWN or any(found.evidence in text for text in said)
    if "evidence" in case:
        assert found.evidence == case["evidence"]


@given(
    st.text(max_size=400),
    st.lists(st.text(max_size=50), max_size=3),
    st.lists(st.text(max_size=50), max_size=3),
)
def test_whatever_is_said_there_is_a_verdict_of_one_line(
    message: str, details: list[str], log: list[str]
) -> None:
    """No text breaks it, and none breaks a table: one short line, and only bad input repeats."""
    found = classify(message, details, log)
    assert len(found.evidence) <= 160
    assert "\n" not in found.evidence
    assert not found.repeats or found.kind is FailureClass.USER


def test_what_decides_is_quoted_from_a_long_line() -> None:
    """Cut around the words."""
    found = classify("x" * 500 + " OOMKilled " + "y" * 500)
    assert "OOMKilled" in found.evidence


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, desired([configuration()]))
    world.apply()
    return world


def failed(world: World, message: str = "", log: list[str] | None = None) -> None:
    """The run ends DEAD, and has printed this."""
    run = world.server.executions[-1]["id"]
    world.server.finish(status="DEAD", message=message)
    world.server.logs[run] = log or []


def launched(made: Plan) -> list[Action]:
    return [change.action for change in made.changes if change.category == "run"]


def logs_read(world: World) -> int:
    return sum(request.endswith("/logs") for request in world.server.requests)


def test_infrastructure_is_tried_again_within_the_budget(world: World) -> None:
    """With the reason in plan and status; then it is stalled like everything else, with the reason too."""
    for number in (1, 2):
        failed(world, INFRASTRUCTURE)
        made = world.plan()
        assert launched(made) == [Action.LAUNCH]
        assert f"retry {number} of 2 after " in plan_text(made)
        assert f'infrastructure failure: "{INFRASTRUCTURE}"' in plan_text(made)
        (change,) = made.changes
        assert change.document()["failure"]["class"] == "infrastructure"
        world.apply()
    failed(world, INFRASTRUCTURE)
    made = world.plan()
    assert (made.exit_code, launched(made)) == (ExitCode.NOT_HEALTHY, [])
    assert "infrastructure failure" in made.unhealthy[0].message
    assert logs_read(world) == 0


def test_bad_data_is_not_tried_again(world: World) -> None:
    """Stalled at once, exit code 4, and the money is saved; the status says why, as JSON too."""
    failed(world, BAD_DATA)
    made = world.plan()
    assert (made.exit_code, launched(made)) == (ExitCode.NOT_HEALTHY, [])
    assert f'would fail in the same way again: user failure: "{BAD_DATA}"' in made.unhealthy[0].message
    (row,) = [
        r for r in status(world.want, world.observe(), {}).document()["rows"] if r["address"] == ADDRESS
    ]
    assert row["failure"] == {"class": "user", "evidence": BAD_DATA, "repeats": True}
    assert row["reason"] == "Stalled"


def test_a_move_of_rerun_after_tries_bad_data_again(world: World) -> None:
    """Whoever has mended what is in no spec says so."""
    failed(world, BAD_DATA)
    one = configuration()
    later = START + timedelta(minutes=10)
    world.server.clock.moment = later
    world.change(desired([one], [execution(one, rerun_after=later)]))
    assert launched(world.plan()) == [Action.LAUNCH]


def test_code_that_failed_and_what_nobody_can_tell_are_tried_again(world: World) -> None:
    """Only what must repeat is not."""
    failed(world, "Error (exit code 1)")
    assert launched(world.plan()) == [Action.LAUNCH]
    assert "user failure" in plan_text(world.plan())
    world.apply()
    failed(world, "workflow failed")
    assert launched(world.plan()) == [Action.LAUNCH]
    assert "failure:" not in plan_text(world.plan())


def test_the_log_is_read_where_the_status_does_not_tell(world: World) -> None:
    """One request, of the last run alone, and only while another one would be started."""
    failed(world, "workflow failed", ["epoch 1", "Error: exit status 2"])
    assert launched(world.plan()) == []
    assert logs_read(world) == 1


def test_settled_history_is_not_read(world: World) -> None:
    """Failed runs of what has completed, is stalled, or rests: no log is asked for."""
    failed(world, "workflow failed")
    world.apply()
    world.server.finish()
    world.server.requests.clear()
    assert world.plan().exit_code is ExitCode.CONVERGED
    assert logs_read(world) == 0


def test_a_verdict_from_a_log_is_remembered(world: World, tmp_path: Path) -> None:
    """In a file that may be lost or damaged: then the log is read once more."""
    failed(world, "workflow failed", ["Error: exit status 2"])
    file = tmp_path / "cache" / "failures.json"

    def looked() -> Plan:
        git, stores = world.git, {"default": world.store}
        live = observe(world.aicore, world.want, stores, git, world.server.clock, Verdicts(file))
        return plan(world.want, live, world.policy)

    assert [looked().exit_code for _ in range(3)] == [ExitCode.NOT_HEALTHY] * 3
    assert logs_read(world) == 1
    assert list(json.loads(file.read_bytes())) == [world.server.executions[0]["id"]]
    for damage in (b"{", b"[]", b'{"x": 1}', b'{"x": ["odd", "", false]}'):
        file.write_bytes(damage)
        assert looked().exit_code is ExitCode.NOT_HEALTHY
    assert logs_read(world) == 5


def test_a_log_that_is_gone_tells_nothing_and_one_that_cannot_be_read_is_an_error(world: World) -> None:
    """Not found and unreadable are different things."""
    failed(world, "workflow failed")
    del world.server.logs[world.server.executions[0]["id"]]
    assert launched(world.plan()) == [Action.LAUNCH]

    def broken(*_: object) -> None:
        raise TransientError("no logs today")

    world.aicore.last_lines = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(TransientError):
        world.plan()


def test_a_missing_log_is_the_services_own_error(world: World) -> None:
    """The stand-in answers like AI Core: 404."""
    failed(world)
    world.server.logs.clear()
    with pytest.raises(NotFoundError):
        world.aicore.last_lines(world.server.executions[0]["id"], START, 3)


def test_a_run_stopped_for_its_timeout_is_no_verdict_on_its_content() -> None:
    """Its message is that of whoever stopped it."""
    common = {"message": "Error (exit code 2)"}
    moment = START
    run = Execution(
        "e1",
        "c",
        "c",
        "s",
        "x",
        "STOPPED",
        "STOPPED",
        moment,
        moment + timedelta(hours=2),
        **common,  # type: ignore[arg-type]
    )
    state = runs(RunBudget(timeout=timedelta(hours=1)), [run], moment + timedelta(hours=3))
    assert (state.launches, state.failure) == (1, None)


def test_the_words_of_a_verdict() -> None:
    """Nothing is said of what nobody can tell."""
    assert str(Failure(FailureClass.UNKNOWN)) == ""
    assert str(Failure(FailureClass.USER, "exit code 1")) == 'user failure: "exit code 1"'
