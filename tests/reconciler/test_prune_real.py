"""`--prune` against a real local AI Core: what goes, what stays, what the verbs say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corespec.__main__ import main
from reconciler.errors import InputRejectedError, PolicyError
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Action, StageName
from reconciler.prune import Permission
from reconciler.session import Options
from tests.reconciler.project import CATALOG, LAUNCH_ONLY, QUICK, Project

#: A second execution beside `baseline`, which every project here has.
SECOND = """\
  second: {{executable: {name}-x, inputs: {{datain: words}}, parameters: {{rate: 0.7}}}}
executions:
  second: {{configuration: second{more}}}
"""
ALL = Options(poll_seconds=2.0, sync_timeout=36000, prune=Permission(limit=5, stop_running=True))


def with_second(project: Project, more: str = "") -> Project:
    project.edit("executions:\n", SECOND.format(name=project.name, more=more))
    return project.publish()


def without_second(project: Project) -> None:
    text = project.spec.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("  second:")]
    project.spec.write_text("\n".join(kept) + "\n")
    project.push("Remove second")


def runs(project: Project) -> dict[str, str]:
    """Configuration's name in the spec -> status of its runs."""
    return {run.configuration_name.rpartition("--")[0]: run.status for run in project.session().executions()}


def test_a_run_goes_once_its_block_is_gone_and_drift_calls_it_no_drift(project: Project) -> None:
    """Deleted at AI Core; its artifact and configuration stay, retired; nothing is left to do."""
    with_second(project).session().apply(QUICK)
    without_second(project)
    session = project.session()
    assert session.plan().exit_code is ExitCode.CONVERGED
    made = session.plan(prune=Permission(limit=1))
    assert [(change.action, change.address) for change in made.changes] == [
        (Action.PRUNE, f"execution/{project.name}/second")
    ]
    result = session.apply(ALL)
    assert result is not None
    assert result.exit_code is ExitCode.CONVERGED
    assert runs(project) == {"baseline": "COMPLETED"}
    assert session.plan(prune=Permission(limit=5)).empty
    assert session.drift().findings == ()


def test_a_running_run_is_stopped_only_when_that_is_said_and_then_deleted(project: Project) -> None:
    """Without --stop-running it runs on."""
    with_second(project)
    project.edit("rate: 0.7}", "mode: wait}")
    session = project.publish().session()
    session.apply(LAUNCH_ONLY)
    (waiting,) = [run.id for run in session.executions() if run.configuration_name.startswith("second")]
    next(look for look in session.watch([waiting]) if look.status == "RUNNING")
    without_second(project)
    kept = session.plan(prune=Permission(limit=5))
    assert (kept.of(StageName.PRUNE), [problem.code for problem in kept.warnings]) == ((), ["kept"])
    told = session.plan(prune=ALL.prune)
    assert [(c.action, c.name) for c in told.of(StageName.PRUNE)] == [(Action.STOP, waiting)]
    session.apply(ALL)
    while "second" in runs(project):  # AI Core takes its time to stop it
        session.apply(ALL)
    assert runs(project) == {"baseline": "COMPLETED"}


def test_protection_outlives_its_block(project: Project) -> None:
    """The history of the branch is asked; the protection has to go in a commit before the block does."""
    with_second(project, ", protect: true").session().apply(QUICK)
    without_second(project)
    session = project.session()
    made = session.plan(prune=Permission(limit=5, stop_running=True))
    assert made.empty
    assert "protected when its block was last in the specs" in made.warnings[0].message
    session.apply(ALL)
    assert set(runs(project)) == {"baseline", "second"}
    with_second(project)
    without_second(project)
    session.apply(ALL)
    assert set(runs(project)) == {"baseline"}


def test_everything_is_refused_and_so_is_a_shared_resource_group(project: Project) -> None:
    """Exit code 2, and nothing was written."""
    project.session().apply(QUICK)
    text = project.spec.read_text()
    project.spec.write_text(text[: text.index("executions:")])
    project.push("Want nothing")
    with pytest.raises(PolicyError, match="everything of ours"):
        project.session().apply(ALL)
    places = project.clone / "specs" / "environments"
    (places / "twin.yaml").write_text(
        (places / "local.yaml").read_text().replace("name: local", "name: twin")
    )
    with pytest.raises(InputRejectedError, match="local and twin share resource group default"):
        project.session().plan(prune=Permission(limit=5))
    assert set(runs(project)) == {"baseline"}


def test_the_verbs(project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The limit of the policy, the file that was looked at, options that belong together."""
    with_second(project).session().apply(QUICK)
    without_second(project)
    where = ["-C", str(project.clone), "-e", "local", "--catalog", str(CATALOG)]
    assert main(["plan", *where, "--prune"]) == ExitCode.REJECTED
    assert "policy.prune allows 10, and 20 % of 2" in capsys.readouterr().out
    assert main(["plan", *where, "--prune-limit", "1"]) == ExitCode.REJECTED
    assert "--prune-limit belongs to --prune" in capsys.readouterr().err
    file = tmp_path / "plan.json"
    assert main(["plan", *where, "--prune", "--prune-limit", "1", "--out", str(file)]) == ExitCode.PENDING
    assert f"  - prune execution/{project.name}/second" in capsys.readouterr().out
    assert json.loads(file.read_text())["prune"] == {"limit": 1, "stop_running": False}
    assert main(["apply", str(file), *where]) == ExitCode.CONVERGED
    assert set(runs(project)) == {"baseline"}
