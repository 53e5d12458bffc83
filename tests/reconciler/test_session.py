"""The whole loop against a real local AI Core, through the unmodified SDK, with a counting relay between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.apply import Applied
from reconciler.connection import connect_readonly
from reconciler.errors import (
    AuthenticationError,
    DatasetError,
    InputRejectedError,
    PolicyError,
    StaleRenderError,
)
from reconciler.events import Event, EventKind
from reconciler.exitcode import ExitCode
from reconciler.health import Health
from reconciler.plan_model import Action, Plan
from reconciler.session import Options
from tests.reconciler.project import QUICK, Project
from tests.reconciler.proxy import Proxy


def _kinds(applied: tuple[Applied, ...]) -> list[str]:
    return [f"{item.action.value} {item.address.split('/')[0]}" for item in applied]


def test_from_a_spec_to_a_completed_execution_and_then_rest(project: Project, proxy: Proxy) -> None:
    """One apply converges; then the plan is empty and a second apply sends no writing request."""
    events: list[Event] = []
    result = project.session().apply(QUICK, listener=events.append)
    assert result is not None
    assert _kinds(result.applied) == [
        "create repository",
        "create application",
        "upload dataset",
        "create dataset",
        "sync template",
        "create configuration",
        "launch execution",
    ]
    assert result.exit_code is ExitCode.CONVERGED
    assert result.status.health is Health.HEALTHY
    assert [look.status for look in result.ended] == ["COMPLETED"]
    assert {EventKind.CHECKED, EventKind.STAGE, EventKind.UPLOADING, EventKind.DONE, EventKind.ENDED} <= {
        e.kind for e in events
    }
    log = (project.clone / ".corespec" / "events.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["kind"] == "ended"
    before = list(proxy.writes)
    assert project.session().plan().empty
    again = project.session().apply(QUICK)
    assert again is not None
    assert again.applied == ()
    assert proxy.writes == before


def test_reads_are_few(project: Project, proxy: Proxy) -> None:
    """A plan in which nothing changes makes seven requests."""
    project.session().apply(QUICK)
    before = len(proxy.requests)
    project.session().plan()
    assert len(proxy.requests) - before == 7


def test_reconcile_publishes_applies_and_reports(project: Project) -> None:
    """From the branch to a trained model in one call; a changed title is published and trains nothing."""
    first = project.session().reconcile_once(QUICK)
    assert first.exit_code is ExitCode.CONVERGED
    project.edit("title: Stub", "title: Better stub")
    heard: list[Event] = []
    second = project.session().reconcile_once(QUICK, listener=heard.append)
    assert [event.message[:6] for event in heard if event.address == "branch/main"] == ["pushed"]
    assert _kinds(second.applied) == ["sync template"]
    assert second.exit_code is ExitCode.CONVERGED


SECOND = """
  {name}-y: {{workflow: stub-train, image: "docker.io/acme/stub:9", resourcePlan: starter}}
datasets:"""
OTHER = """
  other: {{executable: {name}-y, inputs: {{datain: words}}, parameters: {{rate: 0.25}}}}
executions:
  other: {{configuration: other}}"""


def test_reconcile_opens_a_pull_request_and_goes_on_with_what_is_merged(
    project: Project, proxy: Proxy
) -> None:
    """What needs the new template waits for the merge, everything else is applied; then the rest follows.

    Round after round there is one branch, one commit and one line that says where to merge it.
    """
    project.edit("\ndatasets:", SECOND.format(name=project.name))
    project.edit("\nexecutions:", OTHER.format(name=project.name))
    assert project.session().reconcile_once(QUICK).exit_code is ExitCode.CONVERGED
    project.propose()
    project.edit("acme/stub:1", "acme/stub:2")
    project.edit("rate: 0.25", "rate: 0.75")
    first = project.session().reconcile_once(QUICK)
    assert first.exit_code is ExitCode.PENDING
    assert {item.address.rpartition("/")[2] for item in first.applied} == {"other"}
    assert [change.action.value for change in first.final.changes] == ["publish", "sync", "create", "launch"]
    warning = next(item for item in first.final.warnings if item.code == "pull-request")
    assert warning.address == "branch/main"
    assert "corespec/render-" in warning.message
    assert warning in first.plan.warnings
    heads, writes = project.heads(), list(proxy.writes)
    again = project.session().reconcile_once(QUICK)
    assert again.exit_code is ExitCode.PENDING
    assert warning in again.final.warnings
    assert (project.heads(), proxy.writes) == (heads, writes)
    project.merge(next(name for name in heads if name.startswith("corespec/")))
    last = project.session().reconcile_once(QUICK)
    assert last.exit_code is ExitCode.CONVERGED
    assert last.final.warnings == ()
    assert "launch execution" in _kinds(last.applied)


SERVER = """
  {name}-server: {{workflow: model-serving, image: "docker.io/acme/server:1", resourcePlan: infer.s}}
datasets:"""
SERVED = """\
deployments:
  reader:
    executable: {name}-server
    inputs: {{trainedmodels: {{best: {{of: [baseline], metric: "mAP/allClasses"}}}}}}
"""


def test_a_model_server_waits_for_a_measured_model(project: Project) -> None:
    """The ServingTemplate is waited for like any other; nothing is served that has no figure."""
    project.edit("\ndatasets:", SERVER.format(name=project.name))
    project.spec.write_text(project.spec.read_text() + SERVED.format(name=project.name))
    project.push("Serve")
    result = project.session().reconcile_once(QUICK)
    assert result.exit_code is ExitCode.PENDING
    assert _kinds(result.applied).count("sync template") == 2
    (change,) = result.final.changes
    assert (change.address, change.action.value) == (f"deployment/{project.name}/reader", "wait")
    assert change.reason.startswith("no completed run of baseline")
    assert result.final.warnings == ()


def test_a_changed_parameter_then_put_back(project: Project, proxy: Proxy) -> None:
    """The field is named; the way back launches nothing."""
    project.session().apply(QUICK)
    project.edit("rate: 0.5", "rate: 0.25")
    plan = project.session().plan()
    assert [(c.action, [f.path for f in c.fields]) for c in plan.changes] == [
        (Action.CREATE, ["parameters.rate"]),
        (Action.LAUNCH, []),
    ]
    project.session().apply(QUICK)
    project.edit("rate: 0.25", "rate: 0.5")
    before = list(proxy.writes)
    result = project.session().apply(QUICK)
    assert result is not None
    assert result.exit_code is ExitCode.CONVERGED
    assert proxy.writes == before


def test_a_changed_template_is_explained_from_git(project: Project) -> None:
    """The image of the old template is found in the history of the branch."""
    project.session().apply(QUICK)
    project.edit("acme/stub:1", "acme/stub:2")
    project.publish()
    fields = [f for c in project.session().plan().changes for f in c.fields]
    assert [(f.path.rpartition(".")[2], f.before, f.after) for f in fields] == [
        ("image", "docker.io/acme/stub:1", "docker.io/acme/stub:2")
    ]


def test_a_failing_execution_is_retried_and_then_stalled(project: Project, proxy: Proxy) -> None:
    """retries: 2 means three runs; then exit code 4, the reason, and never again until the spec changes."""
    project.edit("retries: 1", "retries: 2")
    project.edit("rate: 0.5", "mode: fail")
    result = project.session().apply(QUICK)
    assert result is not None
    assert result.exit_code is ExitCode.NOT_HEALTHY
    assert _kinds(result.applied).count("launch execution") == 3
    assert result.status.health is Health.DEGRADED
    assert any("told to fail" in problem.message for problem in result.final.unhealthy)
    before = list(proxy.writes)
    again = project.session().apply(QUICK)
    assert again is not None
    assert again.exit_code is ExitCode.NOT_HEALTHY
    assert proxy.writes == before


def test_a_run_that_refuses_its_data_is_not_tried_again(project: Project, proxy: Proxy) -> None:
    """Exit code 2 in AI Core's details: one run, stalled at once; what it has said is in the log."""
    project.edit("retries: 1", "retries: 9")
    project.edit("rate: 0.5", "mode: reject")
    session = project.session()
    result = session.apply(QUICK)
    assert result is not None
    assert _kinds(result.applied).count("launch execution") == 1
    assert result.exit_code is ExitCode.NOT_HEALTHY
    (problem,) = result.final.unhealthy
    assert 'would fail in the same way again: user failure: "exit code 2"' in problem.message
    assert [look.failure for look in result.ended] == ["user"]
    (run,) = session.executions()
    reader = connect_readonly(session.bench().environment, project.clone)
    (last,) = reader.last_lines(run.id, run.created_at, 1)
    assert [line.message for line in session.logs(run.id)][-1] == last.message == "rate: not with this data"


def test_retries_never_exceed_the_launches_of_one_apply(project: Project, proxy: Proxy) -> None:
    """The limit holds for the whole apply, waiting included; what is left stays pending for the next one."""
    project.edit("retries: 1", "retries: 9")
    project.edit("rate: 0.5", "mode: fail")
    result = project.session().apply(QUICK)
    assert result is not None
    assert _kinds(result.applied).count("launch execution") == 3
    assert result.exit_code is ExitCode.PENDING


def test_a_bad_dataset_creates_nothing(project: Project, proxy: Proxy) -> None:
    """The workflow's own checker runs first and names each bad file."""
    (project.clone / "data" / "bad1.txt").write_text("x")
    (project.clone / "data" / "bad2.txt").write_text("x")
    with pytest.raises(DatasetError) as raised:
        project.session().apply(QUICK)
    assert "bad1.txt:3: broken: no picture" in str(raised.value)
    assert "bad2.txt" in str(raised.value)
    assert proxy.writes == []


def test_too_many_launches_create_nothing(project: Project, proxy: Proxy) -> None:
    """The policy is looked at before any writing request; the option allows them once."""
    project.edit("parameters: {rate: 0.5}", "matrix: {rate: [1, 2, 3, 4]}")
    with pytest.raises(PolicyError, match="maxLaunchesPerApply"):
        project.session().apply(QUICK)
    assert proxy.writes == []
    result = project.session().apply(Options(max_launches=4, sync_timeout=36000))
    assert result is not None
    assert _kinds(result.applied).count("launch execution") == 4
    assert result.exit_code is ExitCode.CONVERGED


def test_a_stale_branch_is_refused_with_the_remedy(project: Project, proxy: Proxy) -> None:
    """apply never publishes by itself."""
    project.edit("acme/stub:1", "acme/stub:2")
    with pytest.raises(StaleRenderError, match="corespec publish"):
        project.session().apply(QUICK)
    assert proxy.writes == []


def test_wrong_credentials_are_an_input_error(project: Project, proxy: Proxy) -> None:
    """Exit code 2; the secret is nowhere in the message."""
    key = json.loads((project.root / "key.json").read_text())
    key["clientsecret"] = "wrong-secret"
    (project.root / "key.json").write_text(json.dumps(key))
    with pytest.raises(AuthenticationError) as raised:
        project.session().plan()
    assert raised.value.exit_code == 2
    assert "wrong-secret" not in str(raised.value)


def test_declining_changes_nothing(project: Project, proxy: Proxy) -> None:
    """The plan is shown, refused, and that is all."""
    shown: list[Plan] = []
    assert project.session().apply(QUICK, confirm=lambda plan: bool(shown.append(plan))) is None
    assert len(shown) == 1
    assert proxy.writes == []


def test_a_plan_that_moved_while_it_was_shown_is_refused(project: Project, proxy: Proxy) -> None:
    """What was confirmed is what is done, or nothing is."""

    def confirm(plan: Plan) -> bool:
        project.edit("rate: 0.5", "rate: 0.75")
        return True

    with pytest.raises(InputRejectedError, match="changed since it was shown"):
        project.session().apply(QUICK, confirm=confirm)
    assert proxy.writes == []


def test_logs_metrics_and_names(project: Project) -> None:
    """An execution is found by the spec's name; its log is what it printed."""
    session = project.session()
    result = session.apply(QUICK)
    assert result is not None
    run = session.find_execution("baseline")
    assert run.id in dict.fromkeys(item.id for item in result.applied)
    assert session.find_execution(run.id) == run
    assert [line.message for line in session.logs("execution/baseline", follow=True)] == ["copied"]
    assert session.metrics(run.id).metrics == ()
    assert [look.status for look in session.watch([run.id])] == ["COMPLETED"]
    with pytest.raises(InputRejectedError, match="no execution 'other'"):
        session.find_execution("other")


def test_status_tells_each_address(project: Project) -> None:
    """Before the first apply everything is missing; afterwards all is healthy."""
    before = {row.address.split("/")[0]: row.health for row in project.session().status().rows}
    assert before["application"] is Health.MISSING
    assert before["execution"] is Health.MISSING
    project.session().apply(QUICK)
    rows = project.session().status().rows
    assert {row.health for row in rows} == {Health.HEALTHY}
    assert [row.address.split("/")[0] for row in rows] == [
        "application",
        "template",
        "dataset",
        "configuration",
        "execution",
    ]


def test_a_wiped_object_store_is_noticed(project: Project, local: Path) -> None:
    """The artifact is there, its bytes are not: uploaded again, nothing launched."""
    project.session().apply(QUICK)
    for path in sorted((local / "objects" / "default" / project.name).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    plan = project.session().plan()
    assert [change.action for change in plan.changes] == [Action.UPLOAD]
