"""Runs of an earlier content under way take places of maxConcurrent: said, and waited for."""

from __future__ import annotations

from pathlib import Path

from generator.spec.operations import Policy
from reconciler.connection import connect
from reconciler.events import Event
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Action
from reconciler.report.text import plan_text
from reconciler.session import Options
from tests.reconciler.builders import World, configuration, desired
from tests.reconciler.project import LAUNCH_ONLY, QUICK, Project


def test_the_plan_names_what_takes_the_places(tmp_path: Path) -> None:
    """A pending change that says which runs of earlier contents have to end first."""
    names = ("a", "b", "c", "d")
    world = World(tmp_path, desired([configuration(name, {"rate": "1"}) for name in names]))
    world.apply()
    world.server.start()
    world.change(desired([configuration("a", {"rate": "2"})]))
    world.policy = Policy(max_concurrent=1)
    made = world.plan()
    (wait,) = [change for change in made.changes if change.category == "run"]
    ids = [run["id"] for run in world.server.executions]
    assert wait.action is Action.WAIT
    assert f"held back by maxConcurrent; {', '.join(ids[:3])}, … of earlier contents still run" in plan_text(
        made
    )
    assert made.exit_code is ExitCode.PENDING
    world.policy = Policy(max_concurrent=5)
    assert [change.action for change in world.plan().changes if change.category == "run"] == [Action.LAUNCH]


def limited(project: Project) -> str:
    """One place, taken by a run that never ends, whose content was edited; returns its id."""
    place = project.clone / "specs" / "environments" / "local.yaml"
    place.write_text(place.read_text() + "policy: {maxConcurrent: 1}\n")
    project.edit("rate: 0.5", "mode: wait")
    session = project.publish().session()
    session.apply(LAUNCH_ONLY)
    (run,) = session.executions()
    next(look for look in session.watch([run.id]) if look.status == "RUNNING")
    project.edit("mode: wait", "rate: 0.5")
    project.publish()
    return run.id


def test_apply_that_waits_waits_for_them_too(project: Project) -> None:
    """Exit code 0 once the earlier run has ended and the wanted one has completed; 3 with --no-wait."""
    blocking = limited(project)
    session = project.session()
    at_once = session.apply(LAUNCH_ONLY)
    assert at_once is not None
    assert (at_once.exit_code, at_once.applied[-1].action) == (ExitCode.PENDING, Action.CREATE)
    stopped: list[str] = []

    def stop(event: Event) -> None:
        """Somebody stops it while apply looks on."""
        if event.data.get("execution") == blocking and not stopped:
            connect(session.bench().environment, project.clone).stop_execution(blocking)
            stopped.append(event.address)

    result = session.apply(Options(poll_seconds=QUICK.poll_seconds, sync_timeout=36000), listener=stop)
    assert result is not None
    assert result.exit_code is ExitCode.CONVERGED
    assert stopped[0].startswith(f"configuration/{project.name}/baseline--")
    assert [item.action for item in result.applied] == [Action.LAUNCH]
