"""Nothing is created before AI Core has synced the very bytes; its refusals are told, and waiting ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import NotHealthyError, TransientError
from reconciler.events import Emitter, Event, EventKind
from reconciler.live import Execution
from reconciler.plan_model import StageName
from reconciler.sync import wait_for_templates
from reconciler.watch import PATIENCE, watch
from tests.reconciler.builders import EXECUTABLE, World, configuration, desired, template, template_document
from tests.reconciler.fake import FAULTS, FakeAICore

NEWER = template(template_document("docker.io/acme/digits:2"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, desired())
    made.apply()
    made.server.finish()
    made.change(desired([configuration(with_template=NEWER)], templates=[NEWER]))
    return made


def _wait(world: World, timeout: timedelta = timedelta(minutes=5)) -> list[Event]:
    events: list[Event] = []
    wait_for_templates(
        world.aicore,
        "meter-app",
        world.want.templates,
        world.git,
        timeout=timeout,
        clock=world.server.clock,
        emit=Emitter(world.server.clock, events.append),
    )
    return events


def test_a_refresh_is_asked_for_and_the_wait_ends(world: World) -> None:
    """AI Core syncs at once when it is asked to."""
    assert [event.kind for event in _wait(world)] == [EventKind.DONE]
    assert world.server.writes[-1] == "POST /admin/applications/meter-app/refresh"


def test_a_slow_sync_is_waited_for_with_growing_pauses(world: World) -> None:
    """Told once what is waited for, refreshed again every minute, never hammered."""
    newer, world.server.head = world.server.head, "0" * 40
    clock, sleep = world.server.clock, world.server.clock.sleep

    def later(seconds: float) -> None:
        sleep(seconds)
        if len(clock.slept) > 12:
            world.server.head = newer

    clock.slept.clear()
    clock.sleep = later  # type: ignore[method-assign]
    kinds = [event.kind for event in _wait(world)]
    assert kinds == [EventKind.WAITING, EventKind.DONE]
    assert clock.slept == sorted(clock.slept)
    assert max(clock.slept) == 15
    assert sum("refresh" in write for write in world.server.writes) >= 3


def test_the_old_bytes_are_not_enough(world: World) -> None:
    """Synced, healthy, and at another revision: nothing is created, exit code 4 after the timeout."""
    world.server.head = "0" * 40
    before = len(world.server.configurations)
    with pytest.raises(NotHealthyError, match="has not synced digits within 300 s") as raised:
        world.apply()
    assert raised.value.exit_code == 4
    assert len(world.server.configurations) == before


def test_a_refused_template_ends_the_wait_at_once(world: World) -> None:
    """AI Core's own message, the file and the revision."""
    world.server.resources = [
        {
            "name": EXECUTABLE,
            "kind": "WorkflowTemplate",
            "status": "SyncFailed",
            "message": "unknown field imge",
        }
    ]
    with pytest.raises(NotHealthyError, match="unknown field imge") as raised:
        _wait(world)
    assert NEWER.path in str(raised.value)
    assert world.server.clock.slept == []


def test_the_failure_of_an_older_revision_may_pass(world: World) -> None:
    """What AI Core says about other bytes says nothing about ours."""
    world.server.head = "0" * 40
    world.server.resources = [{"name": EXECUTABLE, "status": "SyncFailed", "message": "old fault"}]
    with pytest.raises(NotHealthyError, match="within 60 s"):
        _wait(world, timedelta(minutes=1))


def test_an_application_that_does_not_answer_yet(world: World) -> None:
    """Just created: not found is not an error while waiting."""
    world.server.applications.clear()
    with pytest.raises(NotHealthyError, match="does not answer"):
        _wait(world, timedelta(minutes=1))


def test_a_plan_says_where_ai_core_is(world: World) -> None:
    """The revision that it has synced so far."""
    reason = world.plan().of(StageName.SYNC)[0].reason
    assert reason == f"AI Core has not synced {NEWER.path} yet (AI Core is at {'0' * 10})"


def _looks(server: FakeAICore, run: Execution, world: World) -> Iterator[str]:
    for look in watch(world.aicore, [run.id], server.clock, 2.0):
        yield look.status


def test_watching_survives_a_restart_of_ai_core(tmp_path: Path) -> None:
    """Away for a while, back again: the same execution is followed to its end."""
    world = World(tmp_path, desired())
    world.apply()
    run = world.observe().executions[0]
    looks = _looks(world.server, run, world)
    assert next(looks) == "UNKNOWN"
    real = world.server.get
    away = iter(range(6))

    def get(path: str, params: object = None) -> object:
        if next(away, None) is not None:
            raise FAULTS["429"].error()
        world.server.finish()
        return real(path, params)  # type: ignore[arg-type]

    world.server.get = get  # type: ignore[method-assign, assignment]
    assert list(looks) == ["COMPLETED"]


def test_watching_gives_up_on_an_ai_core_that_stays_away(tmp_path: Path) -> None:
    """After five minutes, with a transient error."""
    world = World(tmp_path, desired())
    world.apply()
    run = world.observe().executions[0]

    def get(path: str, params: object = None) -> object:
        raise TransientError("away")

    world.server.get = get  # type: ignore[method-assign, assignment]
    before = world.server.clock.now()
    with pytest.raises(TransientError):
        list(_looks(world.server, run, world))
    assert world.server.clock.now() - before >= PATIENCE
