"""Steps, DAGs, scripts, loops, retries and artifacts, run by the process engine as Argo would."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from ai_core_sdk.models import Status, TargetStatus


def _run(core: Any, gitops: Any, document: dict[str, Any], **arguments: Any) -> Any:
    gitops.write(f"templates/{document['metadata']['name']}.yaml", document)
    core.sync(gitops)
    return core.finished(core.execute(document["metadata"]["name"], **arguments))


def _call(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": template, **fields}


def _parameters(**values: str) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in values.items()]}


def test_steps_hand_on_values_and_artifacts(core: Any, gitops: Any, support: Any) -> None:
    """Proves: an output parameter, a result and an artifact reach the next step.

    `when` skips; a script runs.
    """
    make = support.shell(
        "make",
        "mkdir -p /tmp/out/data; echo content > /tmp/out/data/file; printf 7 > /tmp/number; echo heads",
        outputs={
            "parameters": [{"name": "number", "valueFrom": {"path": "/tmp/number"}}],
            "artifacts": [{"name": "data", "path": "/tmp/out/data"}],
        },
    )
    use = {
        "name": "use",
        "inputs": {
            "parameters": [{"name": "number"}, {"name": "side", "value": "none"}],
            "artifacts": [{"name": "given", "path": "/srv/given"}],
        },
        "script": {
            "image": "docker.io/acme/image:1",
            "command": ["sh"],
            "source": "echo {{inputs.parameters.number}} {{inputs.parameters.side}}\n"
            "cat {{inputs.artifacts.given.path}}/file\n",
        },
    }
    arguments = _parameters(
        number="{{steps.first.outputs.parameters.number}}", side="{{steps.first.outputs.result}}"
    )
    arguments["artifacts"] = [{"name": "given", "from": "{{steps.first.outputs.artifacts.data}}"}]
    never = _call("never", "make", when="{{steps.first.outputs.result}} == tails")
    main = {
        "name": "main",
        "steps": [[_call("first", "make")], [_call("then", "use", arguments=arguments), never]],
    }
    found = _run(core, gitops, support.template("steps", [main, make, use]))
    assert found.status == Status.COMPLETED, found.status_message
    assert core.lines(found.id) == ["heads", "7 heads", "content"]
    nodes = {node["name"]: node["status"] for node in found.status_details["nodes"]}
    assert nodes["steps.never"] == "Skipped"
    assert nodes["steps.then"] == "Succeeded"
    executable = core.client().executable.get("demo", "steps")
    assert executable.input_artifacts == [], "an artifact fed by a step is no input of the executable"


def test_dag_order_loops_and_depends(core: Any, gitops: Any, support: Any) -> None:
    """Proves: tasks wait for theirs, a loop collects its results, `depends` on a failure runs the remedy."""
    say = support.shell("say", "echo '{{inputs.parameters.text}}'", inputs={"parameters": [{"name": "text"}]})
    fail = support.shell("fail", "exit 1")
    tasks = [
        _call("loop", "say", arguments=_parameters(text="round {{item.n}}"), withItems=[{"n": 1}, {"n": 2}]),
        _call("broken", "fail", depends="loop"),
        _call("remedy", "say", arguments=_parameters(text="remedied"), depends="broken.Failed"),
        _call("unneeded", "say", arguments=_parameters(text="never"), depends="broken.Succeeded"),
        _call(
            "last",
            "say",
            arguments=_parameters(text="{{tasks.loop.outputs.result}}"),
            dependencies=["remedy"],
        ),
    ]
    found = _run(
        core, gitops, support.template("dagged", [{"name": "main", "dag": {"tasks": tasks}}, say, fail])
    )
    assert found.status == Status.COMPLETED, found.status_message
    lines = core.lines(found.id)
    assert sorted(lines[:2]) == ["round 1", "round 2"]
    assert lines[2:] == ["remedied", '["round 1", "round 2"]']
    assert {node["name"]: node["status"] for node in found.status_details["nodes"]}[
        "dagged.unneeded"
    ] == "Omitted"


def test_dag_fails_fast(core: Any, gitops: Any, support: Any) -> None:
    fail = support.shell("fail", "echo 'no luck' >&2; exit 3")
    ok = support.shell("okay", "echo must not run")
    tasks = [_call("first", "fail"), _call("second", "okay", dependencies=["first"])]
    found = _run(
        core, gitops, support.template("failing", [{"name": "main", "dag": {"tasks": tasks}}, fail, ok])
    )
    assert (found.status, found.status_message) == (Status.DEAD, "no luck")
    assert "must not run" not in core.lines(found.id)


def test_retry(core: Any, gitops: Any, support: Any) -> None:
    """Proves: a failed container runs again in a pod of its own, and log and statusDetails tell of it."""
    main = support.shell(
        "main",
        "echo attempt {{retries}}; ls /scratch; touch /scratch/used; test {{retries}} = 2",
        retryStrategy={"limit": "3", "backoff": {"duration": "10ms"}},
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
    )
    volumes = [{"name": "scratch", "emptyDir": {}}]
    found = _run(core, gitops, support.template("retried", [main], volumes=volumes))
    assert found.status == Status.COMPLETED
    assert core.lines(found.id) == [
        "attempt 0",
        "retry 1 of 3 begins in 0.01 s: attempt 0",
        "attempt 1",
        "retry 2 of 3 begins in 0.01 s: attempt 1",
        "attempt 2",
    ]
    nodes = {node["name"]: (node["status"], node.get("message")) for node in found.status_details["nodes"]}
    assert nodes == {
        "retried": ("Succeeded", "succeeded at retry 2"),
        "retried(0)": ("Failed", "attempt 0"),
        "retried(1)": ("Failed", "attempt 1"),
        "retried(2)": ("Succeeded", None),
    }


def test_retries_run_out(core: Any, gitops: Any, support: Any) -> None:
    """Proves: DEAD with the container's last words and the number of retries that did not help."""
    main = support.shell("main", "echo 'no luck' >&2; exit 1", retryStrategy={"limit": 1})
    found = _run(core, gitops, support.template("luckless", [main]))
    assert (found.status, found.status_message) == (Status.DEAD, "no luck (no more retries left of 1)")


@pytest.mark.parametrize(("policy", "attempts"), [("OnError", 2), ("OnFailure", 1), ("Always", 2)])
def test_a_missing_output_is_an_error_not_a_failure(
    core: Any, gitops: Any, support: Any, policy: str, attempts: int
) -> None:
    """Proves: what fails around a container is retried under OnError, as in Argo."""
    main = support.shell(
        "main",
        "echo ran",
        outputs={"artifacts": [{"name": "model", "path": "/tmp/model"}]},
        retryStrategy={"limit": 1, "retryPolicy": policy},
    )
    found = _run(core, gitops, support.template(f"missing-{policy.lower()}", [main]))
    assert found.status == Status.DEAD
    assert core.lines(found.id).count("ran") == attempts


STUBBORN = (
    "trap '' TERM; (setsid sh -c \"trap '' TERM; echo child; while :; do sleep 1000; done\" &); "
    "while :; do sleep 1000; done"
)


@pytest.mark.parametrize("limited", ["workflow", "template"])
def test_deadlines(core: Any, gitops: Any, support: Any, limited: str) -> None:
    """Proves: activeDeadlineSeconds ends the run with all its processes, also those that want to stay."""
    spec: dict[str, Any] = {"activeDeadlineSeconds": 1} if limited == "workflow" else {}
    fields: dict[str, Any] = {} if spec else {"activeDeadlineSeconds": 1}
    main = {"name": "main", "steps": [[_call("only", "pod")]]}
    pod = support.shell("pod", STUBBORN, **fields)
    found = _run(core, gitops, support.template(f"stubborn-{limited}", [main, pod], **spec))
    assert found.status == Status.DEAD
    assert found.status_message == (
        "the workflow was active longer than its activeDeadlineSeconds of 1 s"
        if spec
        else "node stubborn-template.only was active longer than its deadline of 1 s"
    )
    assert {node["status"] for node in found.status_details["nodes"]} == {"Failed"}
    assert support.processes_of(found.id) == []


def test_a_deadline_ends_backoff(core: Any, gitops: Any, support: Any) -> None:
    """Proves: the workflow's deadline counts while it waits for a retry."""
    main = support.shell("main", "exit 1", retryStrategy={"limit": 9, "backoff": {"duration": "1h"}})
    found = _run(core, gitops, support.template("waiting", [main], activeDeadlineSeconds=1))
    assert "activeDeadlineSeconds of 1 s" in found.status_message
    assert [node["status"] for node in found.status_details["nodes"]] == ["Failed", "Failed"]


def test_stopping_while_it_waits_for_a_retry(core: Any, gitops: Any, support: Any) -> None:
    """Proves: an execution between two attempts is RUNNING, and can be stopped."""
    main = support.shell("main", "exit 1", retryStrategy={"limit": 9, "backoff": {"duration": "1h"}})
    gitops.write("templates/patient.yaml", support.template("patient", [main]))
    core.sync(gitops)
    identifier = core.execute("patient")
    support.wait_for(lambda: core.lines(identifier), what="the first failure")
    core.reaches(identifier, Status.RUNNING)
    core.client().execution.modify(identifier, TargetStatus.STOPPED)
    found = core.finished(identifier)
    assert found.status == Status.STOPPED
    assert {node["status"] for node in found.status_details["nodes"]} == {"Failed"}


def test_a_long_last_line(core: Any, gitops: Any, support: Any) -> None:
    """Proves: statusMessage keeps the API's limit of 256 characters, statusDetails all of it."""
    main = support.shell("main", "printf 'x%.0s' $(seq 300); exit 1")
    found = _run(core, gitops, support.template("wordy", [main]))
    assert found.status_message == "x" * 255 + "…"
    assert found.status_details["nodes"][0]["message"] == "x" * 300


def test_a_tag_without_retries(core: Any, gitops: Any, support: Any) -> None:
    """Proves: `{{retries}}` exists where a retryStrategy does, and nowhere else."""
    found = _run(core, gitops, support.template("unretried", [support.shell("main", "echo {{retries}}")]))
    assert "cannot resolve {{retries}}" in found.status_message


def test_outputs_are_registered_as_annotated(core: Any, gitops: Any, support: Any) -> None:
    """Proves: only what has a globalName is stored and registered.

    Packed unless `archive: none`; and it can be an input again.
    """
    outputs = [
        {"name": "plain", "globalName": "plainone", "path": "/tmp/plain", "archive": {"none": {}}},
        {"name": "packed", "globalName": "packedone", "path": "/tmp/packed"},
        {"name": "private", "path": "/tmp/private"},
        {"name": "absent", "globalName": "absent", "path": "/tmp/absent", "optional": True},
    ]
    line = (
        "mkdir /tmp/plain /tmp/packed; echo a > /tmp/plain/a; echo b > /tmp/packed/b; echo c > /tmp/private"
    )
    document = support.template("storing", [support.shell("main", line, outputs={"artifacts": outputs})])
    document["metadata"]["annotations"] |= {
        "artifacts.ai.sap.com/plainone.kind": "dataset",
        "artifacts.ai.sap.com/plainone.name": "my-name",
        "artifacts.ai.sap.com/plainone.description": "what it is",
        "artifacts.ai.sap.com/plainone.labels": '{"ext.ai.sap.com/x": "1"}',
    }
    found = _run(core, gitops, document)
    assert found.status == Status.COMPLETED, found.status_message
    plain, packed = found.output_artifacts
    assert (plain.name, plain.kind.value, plain.description) == ("my-name", "dataset", "what it is")
    assert (plain.execution_id, plain.scenario_id) == (found.id, "demo")
    assert plain.labels[0].key == "ext.ai.sap.com/x"
    assert (packed.name, packed.kind.value) == ("packedone", "model")
    store = core.data / "objects" / "default" / found.id
    assert (store / "plainone" / "a").read_text() == "a\n"
    assert tarfile.is_tarfile(store / "packedone")
    assert sorted(path.name for path in store.iterdir()) == ["packedone", "plainone"]

    read = support.shell(
        "main",
        "cat /in/*; touch /in/x 2>/dev/null || true",
        inputs={"artifacts": [{"name": "data", "path": "/in"}]},
    )
    again = _run(core, gitops, support.template("reading", [read]), inputs={"data": packed.url})
    assert core.lines(again.id) == ["b"]
    assert (store / "packedone").is_file(), "the stored object is untouched by who reads it"


def test_missing_output_is_an_error(core: Any, gitops: Any, support: Any) -> None:
    main = support.shell("main", "true", outputs={"artifacts": [{"name": "model", "path": "/tmp/model"}]})
    found = _run(core, gitops, support.template("forgetful", [main]))
    assert found.status_message == "output artifact model: the container left nothing at /tmp/model"


def test_the_environment_is_small(core: Any, gitops: Any, support: Any) -> None:
    """Proves: a container sees AI Core's variables and its own, and no secret of the server's environment."""
    show = "import os; print(*(f'{k}={v}' for k, v in os.environ.items()), sep='\\n')"
    main = {"name": "main", "container": {"command": ["python", "-c"], "args": [show]}}
    found = _run(core, gitops, support.template("environment", [main]))
    lines = dict(line.partition("=")[::2] for line in core.lines(found.id))
    assert lines["AICORE_EXECUTION_ID"] == found.id
    assert lines["AICORE_TRACKING_ENDPOINT"] == core.url
    assert (lines["AI-MAIN-TENANT"], lines["AI-RESOURCE-GROUP"]) == ("local", "default")
    assert "AICORE_SERVICE_KEY" not in lines
    assert "AWS_SECRET_ACCESS_KEY" not in lines
    assert "PYTEST_CURRENT_TEST" not in lines


def test_volumes(core: Any, gitops: Any, support: Any) -> None:
    """Proves: an emptyDir is mapped and fresh for each pod; a claim is shared by the pods of an execution."""
    mounts = [{"name": "scratch", "mountPath": "/scratch"}, {"name": "disk", "mountPath": "/mnt/disk"}]
    line = "echo x >> /scratch/f; echo y >> /mnt/disk/f; wc -l < /scratch/f; wc -l < /mnt/disk/f"
    main = {"name": "main", "steps": [[_call("one", "pod")], [_call("two", "pod")]]}
    spec = {
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "volumeClaimTemplates": [{"metadata": {"name": "disk"}, "spec": {}}],
    }
    found = _run(
        core,
        gitops,
        support.template("volumes", [main, support.shell("pod", line, volumeMounts=mounts)], **spec),
    )
    assert [line.strip() for line in core.lines(found.id)] == ["1", "1", "1", "2"]
    for folder in ("nodes", "claims"):
        assert not (core.data / "executions" / found.id / folder).exists(), "the space is given back"


def test_a_claim_outlives_attempts(core: Any, gitops: Any, support: Any) -> None:
    """Proves: a retry finds on the claim what the failed attempt left: a checkpoint, say."""
    main = support.shell(
        "main",
        "cat /scratch/checkpoint 2>/dev/null || { echo saved > /scratch/checkpoint; exit 1; }",
        retryStrategy={"limit": 1},
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
        metadata={"labels": {"ai.sap.com/resourcePlan": "starter"}},
    )
    claim = {
        "metadata": {"name": "scratch"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Gi"}}},
    }
    found = _run(core, gitops, support.template("claiming", [main], volumeClaimTemplates=[claim]))
    assert found.status == Status.COMPLETED, found.status_message
    assert core.lines(found.id)[-1] == "saved"


def test_shared_memory(core: Any, gitops: Any, support: Any) -> None:
    """Proves: an emptyDir at /dev/shm is a folder like any other, whatever its medium and limit."""
    main = support.shell(
        "main",
        "echo shared > /dev/shm/segment; cat /dev/shm/segment",
        volumeMounts=[{"name": "shm", "mountPath": "/dev/shm"}],
    )
    volumes = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    found = _run(core, gitops, support.template("sharing", [main], volumes=volumes))
    assert core.lines(found.id) == ["shared"]
    assert not Path("/dev/shm/segment").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kill -9 $$", "ended by SIGKILL"),
        ("echo 'last on stdout'; exit 4", "last on stdout"),
        ("exit 4", "exit code 4"),
    ],
)
def test_how_a_container_died(core: Any, gitops: Any, support: Any, line: str, expected: str) -> None:
    found = _run(core, gitops, support.template("dying", [support.shell("main", line)]))
    assert expected in found.status_message
