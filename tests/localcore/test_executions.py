"""Executions over the API: the flow of states, stop and delete rules, logs, output artifacts, failures."""

from __future__ import annotations

from typing import Any

import pytest
from ai_api_client_sdk.exception import (
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIPreconditionFailedException,
)
from ai_core_sdk.models import Status, TargetStatus

SLOW = "echo begun; sleep 60 & echo child $!; wait"


@pytest.fixture(scope="module", autouse=True)
def synced(core: Any, gitops: Any, support: Any) -> None:
    shell, template = support.shell, support.template
    parameter = [{"name": "word", "value": "hello"}]
    ok = shell(
        "main", "echo $WORD; echo oops >&2", env=[{"name": "WORD", "value": "{{workflow.parameters.word}}"}]
    )
    required = shell("main", "echo {{workflow.parameters.word}}")
    fails = shell("main", "echo working; echo 'bad data: 3 pictures' >&2; exit 2")
    for name, first, parameters in (
        ("fine", ok, parameter),
        ("fails", fails, []),
        ("slow", shell("main", SLOW), []),
        ("required", required, [{"name": "word"}]),
        ("unsupported", {"name": "main", "suspend": {}}, []),
        ("unknown-tag", shell("main", "echo {{workflow.parameters.missing}}"), []),
        ("late", shell("main", "sleep 60", activeDeadlineSeconds=0.3), []),
        ("forever", shell("main", "trap '' TERM; echo begun; while true; do sleep 1; done"), []),
        (
            "needs-data",
            shell("main", "true", inputs={"artifacts": [{"name": "datain", "path": "/tmp/datain"}]}),
            [],
        ),
    ):
        gitops.write(f"templates/{name}.yaml", template(name, [first], parameters=parameters))
    late = template("late-flow", [shell("main", "sleep 60")], activeDeadlineSeconds=0.3)
    gitops.write("templates/late-flow.yaml", late)
    core.sync(gitops)


def test_completed(core: Any) -> None:
    """Proves: create answers UNKNOWN/COMPLETED as AI Core does.

    Times, bindings and nodes are there at the end.
    """
    client = core.client()
    created = client.execution.create(core.configure("fine", {"word": "$(id) '; {{x"}))
    assert (created.status, created.message) == (Status.UNKNOWN, "Execution scheduled")
    assert len(created.id) == 16
    assert created.id[0] == "e"
    found = core.finished(created.id)
    assert found.status == Status.COMPLETED, found.status_message
    assert found.target_status == TargetStatus.COMPLETED
    assert found.submission_time <= found.start_time <= found.completion_time
    assert [node["status"] for node in found.status_details["nodes"]] == ["Succeeded"]
    assert core.lines(created.id) == ["$(id) '; {{x", "oops"], (
        "a parameter is data: no shell and no tag of it runs"
    )


def test_dead_says_the_last_words(core: Any) -> None:
    found = core.finished(core.execute("fails"))
    assert (found.status, found.status_message) == (Status.DEAD, "bad data: 3 pictures")
    assert found.output_artifacts == []


@pytest.mark.parametrize(
    ("executable", "expected"),
    [
        ("unsupported", "suspend is not supported"),
        ("unknown-tag", "cannot resolve {{workflow.parameters.missing}}"),
        ("required", "spec.arguments.word.value is required"),
        ("late", "active longer than its deadline of 0.3 s"),
        ("late-flow", "the workflow was active longer than its activeDeadlineSeconds"),
        ("needs-data", "input artifact datain is not bound"),
    ],
)
def test_dead_with_a_clear_reason(core: Any, executable: str, expected: str) -> None:
    """Proves: what cannot run ends DEAD with its reason; it does not hang."""
    found = core.finished(core.execute(executable))
    assert found.status == Status.DEAD
    assert expected in found.status_message


def test_a_missing_object_is_named(core: Any) -> None:
    found = core.finished(core.execute("needs-data", inputs={"datain": "ai://default/nowhere"}))
    assert found.status == Status.DEAD
    assert "nothing is stored at ai://default/nowhere" in found.status_message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ai://default/../../secrets", "not a plain relative path"),
        ("ai://other/x", "object store secret other is not registered"),
        ("gs://bucket/x", "only ai://"),
    ],
)
def test_artifacts_that_cannot_be_read(core: Any, url: str, expected: str) -> None:
    """Proves: an artifact URL cannot climb out of its store, and a foreign one is a reason, not a crash."""
    found = core.finished(core.execute("needs-data", inputs={"datain": url}))
    assert found.status == Status.DEAD
    assert expected in found.status_message


def test_unknown_parameter_is_refused(core: Any) -> None:
    found = core.finished(core.execute("fine", {"wrod": "x"}))
    assert "there is no parameter wrod" in found.status_message


def test_select_status_is_reduced(core: Any) -> None:
    """Proves: the SDK, which raises on any further key, reads `$select=status`, of one and of a list."""
    identifier = core.execute("fine")
    core.finished(identifier)
    assert core.client().execution.get(identifier, select="status").status == Status.COMPLETED
    listed = core.http("GET", "/v2/lm/executions?$select=status&$top=1").json()["resources"][0]
    assert set(listed) == {"id", "configurationId", "status", "statusDetails", "createdAt", "modifiedAt"}


def test_stop_kills_every_process(core: Any, support: Any) -> None:
    """Proves: RUNNING -> STOPPING -> STOPPED, with no process left, and delete only after that."""
    client = core.client()
    identifier = core.execute("slow")
    core.reaches(identifier, Status.RUNNING)
    support.wait_for(lambda: len(core.lines(identifier)) == 2, what="both lines of the log")
    assert len(support.processes_of(identifier)) >= 2
    with pytest.raises(AIAPIPreconditionFailedException, match="RUNNING cannot be changed"):
        client.execution.delete(identifier)
    assert (
        client.execution.modify(identifier, TargetStatus.STOPPED).message
        == "Execution modification scheduled"
    )
    found = core.finished(identifier)
    assert (found.status, found.target_status) == (Status.STOPPED, TargetStatus.STOPPED)
    assert support.processes_of(identifier) == []
    with pytest.raises(AIAPIPreconditionFailedException):
        client.execution.modify(identifier, TargetStatus.STOPPED)
    assert client.execution.delete(identifier).message == "Deletion scheduled"
    with pytest.raises(AIAPINotFoundException):
        client.execution.get(identifier)


def test_stop_insists(core: Any, support: Any) -> None:
    """Proves: a container that ignores SIGTERM is killed after the grace period."""
    identifier = core.execute("forever")
    support.wait_for(lambda: core.lines(identifier) == ["begun"], what="the container's first line")
    core.client().execution.modify(identifier, TargetStatus.STOPPED)
    assert core.finished(identifier).status == Status.STOPPED
    assert support.processes_of(identifier) == []


def test_bulk(core: Any) -> None:
    """Proves: of a mixed selection what can be changed is, and the rest says why."""
    done, failed = core.execute("fine"), core.execute("fails")
    for identifier in (done, failed):
        core.finished(identifier)
    answer = core.http(
        "PATCH",
        "/v2/lm/executions",
        json={
            "executions": [
                {"id": done, "targetStatus": "DELETED"},
                {"id": failed, "targetStatus": "STOPPED"},
                {"id": "e000000000000000", "targetStatus": "DELETED"},
            ]
        },
        headers={"Content-Type": "application/merge-patch+json"},
    ).json()["executions"]
    assert answer[0] == {"id": done, "message": "Deletion scheduled", "targetStatus": "DELETED"}
    assert answer[1]["error"]["code"] == "01010076"
    assert set(answer[2]["error"]) == {"code", "message", "requestId", "target"}
    assert answer[2]["error"]["code"] == "01010020"


def test_lists_and_counts(core: Any) -> None:
    """Proves: filters, `$count` and both spellings of paging."""
    client = core.client()
    configuration = core.configure("fine")
    made = [client.execution.create(configuration).id for _ in range(3)]
    for identifier in made:
        core.finished(identifier)
    query = {"configuration_id": configuration}
    assert [found.id for found in client.execution.query(**query).resources] == made[::-1]
    assert client.execution.query(**query, top=2, skip=1).count == 3
    assert [found.id for found in client.execution.query(**query, top=1, skip=1).resources] == [made[1]]
    assert client.execution.count(**query, status=Status.COMPLETED) == 3
    assert client.execution.count(**query, status=Status.DEAD) == 0
    assert client.execution.count(scenario_id="demo", executable_ids=["fine", "fails"]) >= 3
    raw = core.http("GET", f"/v2/lm/executions?configurationId={configuration}&$top=2&$skip=2").json()
    assert (raw["count"], len(raw["resources"])) == (3, 1)


def test_logs(core: Any) -> None:
    """Proves: `$top`, order, start and end; times ascend; the stream is named."""
    identifier = core.execute("fails")
    core.finished(identifier)
    path = f"/v2/lm/executions/{identifier}/logs"
    lines = core.http("GET", path).json()["data"]["result"]
    assert [line["msg"] for line in lines[:2]] == ["working", "bad data: 3 pictures"]
    assert [line["stream"] for line in lines[:2]] == ["stdout", "stderr"]
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    assert core.http("GET", f"{path}?$top=1").json()["data"]["result"] == lines[:1]
    assert core.http("GET", f"{path}?top=1&$order=desc").json()["data"]["result"] == lines[-1:]
    assert (
        core.http("GET", path, params={"start": lines[1]["timestamp"]}).json()["data"]["result"] == lines[1:]
    )
    assert core.http("GET", path, params={"end": "2001-01-01T00:00:00Z"}).json()["data"]["result"] == []
    assert core.http("GET", f"{path}?order=up").status_code == 400
    assert core.http("GET", "/v2/lm/executions/e000000000000000/logs").status_code == 404


def test_unknown_configuration(core: Any) -> None:
    with pytest.raises(AIAPIInvalidRequestException, match="configurationId"):
        core.client().execution.create("00000000-0000-0000-0000-000000000000")


def test_unknown_until_the_executable_exists(core: Any, gitops: Any, support: Any) -> None:
    """Proves.

    Without its executable an execution is UNKNOWN with the reason, cannot be stopped, and runs once it is
    synced.
    """
    client = core.client()
    identifier = core.execute("later")
    support.wait_for(lambda: client.execution.get(identifier).status_message, what="a reason")
    found = client.execution.get(identifier)
    assert found.status == Status.UNKNOWN
    assert "executable later" in found.status_message
    with pytest.raises(AIAPIPreconditionFailedException):
        client.execution.modify(identifier, TargetStatus.STOPPED)
    gitops.write("templates/later.yaml", support.template("later", [support.shell("main", "true")]))
    core.sync(gitops)
    assert core.finished(identifier).status == Status.COMPLETED
