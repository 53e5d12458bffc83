"""Reading workflows: what is taken, and how what is not supported is refused."""

from __future__ import annotations

from typing import Any

import pytest

from localcore.executable import TemplateError
from localcore.template import read_executable
from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Retry
from localcore.workflow.parse import parse
from localcore.yamldoc import DocumentError, load_documents


def _leaf(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "container": {"command": ["true"]}, **fields}


def _dag(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "main", "dag": {"tasks": list(tasks)}}, _leaf(name="leaf")]


def _task(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": "leaf", **fields}


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ([_leaf(suspend={})], "template main: suspend is not supported"),
        ([{"name": "main"}], "exactly one of container, script, steps and dag"),
        ([_leaf(steps=[])], "exactly one of"),
        ([{"name": "main", "container": {"image": "x"}}], "container.command is missing"),
        ([_leaf(inputs={"artifacts": [{"name": "a", "path": "relative"}]})], "inputs.artifacts.a.path"),
        ([_leaf(inputs={"artifacts": [{"name": "a", "path": "/x", "s3": {}}]})], "s3 is not supported"),
        ([_leaf(outputs={"artifacts": [{"name": "a"}]})], "has no path"),
        ([_leaf(outputs={"parameters": [{"name": "p"}]})], "path or parameter is missing"),
        ([_leaf(retryStrategy={"limit": "many"})], "retryStrategy.limit: 'many' is not a whole number"),
        ([_leaf(retryStrategy={"limit": -1})], "not a whole number"),
        ([_leaf(retryStrategy={"retryPolicy": "Never"})], "'Never' is none of OnFailure, Always"),
        ([_leaf(retryStrategy={"backoff": {"factor": 2}})], "backoff.duration is missing"),
        ([_leaf(retryStrategy={"backoff": {"duration": 1, "factor": 1.5}})], "backoff.factor: '1.5'"),
        ([_leaf(retryStrategy={"expression": "true"})], "retryStrategy: expression is not supported"),
        ([_leaf(retryStrategy={"affinity": {}})], "retryStrategy: affinity is not supported"),
        ([_leaf(activeDeadlineSeconds=-1)], "not a duration"),
        ([{"name": "main", "steps": [], "activeDeadlineSeconds": 1}], "container and script templates only"),
        ([{"name": "main", "steps": [[_task("a", continueOn={"any": True})]]}], "any is not supported"),
        ([_leaf(activeDeadlineSeconds="soon")], "not a duration"),
        ([_leaf(), _leaf()], "template main occurs twice"),
        ([{"name": "main", "steps": [[_task("a", template="absent")]]}], "names template absent"),
        ([{"name": "main", "steps": [[_task("a", template="main")]]}], "calls itself: main -> main"),
        (_dag(_task("a", dependencies=["b"]), _task("b", dependencies=["a"])), "in a circle"),
        (_dag(_task("a", dependencies=["c"])), "depends on c, which does not exist"),
        (_dag(_task("a"), _task("a")), "the name a occurs twice"),
        (_dag(_task("a", depends="b", dependencies=["b"]), _task("b")), "exclude each other"),
        (_dag(_task("a", withSequence={"count": 3})), "withSequence is not supported"),
        (_dag(_task("a", onExit="leaf")), "onExit is not supported"),
        (
            [
                {
                    "name": "main",
                    "container": {"command": ["x"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                }
            ],
            "names volume v",
        ),
        (
            [
                {
                    "name": "main",
                    "container": {"command": ["x"], "env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]},
                }
            ],
            "fieldRef is not supported",
        ),
    ],
)
def test_refusals_name_the_place(support: Any, templates: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(WorkflowError) as failed:
        parse(support.template("name", templates))
    assert message in str(failed.value)


def test_unsupported_spec_fields_are_refused(support: Any) -> None:
    with pytest.raises(WorkflowError, match="spec: onExit is not supported"):
        parse(support.template("name", [_leaf()], onExit="main"))
    with pytest.raises(WorkflowError, match=r"spec\.volumes\.v: secret is not supported"):
        parse(support.template("name", [_leaf()], volumes=[{"name": "v", "secret": {}}]))


def test_what_a_template_says(support: Any) -> None:
    """Proves: durations, retries, archives, volumes and cluster-only fields are read as Argo means them."""
    leaf = _leaf(
        metadata={"labels": {"ai.sap.com/resourcePlan": "train.l"}},
        activeDeadlineSeconds="2m",
        retryStrategy={"limit": 2, "backoff": {"duration": "3s", "factor": 2}},
        outputs={"artifacts": [{"name": "m", "path": "/m/", "globalName": "g", "archive": {"none": {}}}]},
    )
    leaf["container"] |= {"resources": {"limits": {}}, "securityContext": {}, "image": "x"}
    leaf["container"]["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]
    volumes = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    found = parse(
        support.template("name", [leaf], volumes=volumes, imagePullSecrets=[{"name": "s"}])
    ).templates["main"]
    assert (found.deadline, found.retry) == (120, Retry(limit=2, pause=3, factor=2))
    assert (found.output_artifacts[0].path, found.output_artifacts[0].archive) == ("/m", False)
    assert found.container is not None
    assert found.container.mounts[0].path == "/dev/shm"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({}, Retry(limit=None)),
        ({"limit": 0}, Retry(limit=0)),
        ({"limit": "3", "retryPolicy": "Always"}, Retry(limit=3, policy="Always")),
        (
            {"limit": 1, "backoff": {"duration": "1m30s", "factor": "2", "maxDuration": "1h"}},
            Retry(limit=1, pause=90, factor=2, longest=3600),
        ),
        ({"limit": 1, "backoff": {"duration": "500ms", "factor": 0}}, Retry(limit=1, pause=0.5)),
        ({"limit": 1, "backoff": {"duration": 2.5}}, Retry(limit=1, pause=2.5)),
    ],
)
def test_retry_strategies(support: Any, strategy: dict[str, Any], expected: Retry) -> None:
    """Proves: numbers as texts, Go's durations, an absent limit as none, and no strategy as no retry."""
    assert (
        parse(support.template("name", [_leaf(retryStrategy=strategy)])).templates["main"].retry == expected
    )
    assert parse(support.template("name", [_leaf()])).templates["main"].retry is None


@pytest.mark.parametrize(
    ("mount", "volume", "message"),
    [
        ({"mountPath": "/v", "subPath": "x"}, {"emptyDir": {}}, "volumeMounts.v: subPath is not supported"),
        ({"mountPath": "relative"}, {"emptyDir": {}}, "must be a folder below /"),
        ({"mountPath": "/"}, {"emptyDir": {}}, "must be a folder below /"),
        ({"mountPath": "/v"}, {"emptyDir": {"size": "1Gi"}}, "emptyDir: size is not supported"),
    ],
)
def test_bad_volumes(support: Any, mount: dict[str, Any], volume: dict[str, Any], message: str) -> None:
    leaf = _leaf()
    leaf["container"]["volumeMounts"] = [{"name": "v", **mount}]
    with pytest.raises(WorkflowError, match=message):
        parse(support.template("name", [leaf], volumes=[{"name": "v", **volume}]))


def test_what_the_catalogue_takes(support: Any) -> None:
    """Proves: parameters with defaults, bound inputs, global outputs; annotations describe them."""
    train = _leaf(
        name="train",
        inputs={"artifacts": [{"name": "datain", "path": "/in"}, {"name": "fed", "path": "/fed"}]},
        outputs={
            "artifacts": [
                {"name": "m", "globalName": "trainedmodel", "path": "/m"},
                {"name": "x", "path": "/x"},
            ]
        },
    )
    feed = {"artifacts": [{"name": "fed", "from": "{{tasks.a.outputs.artifacts.x}}"}]}
    main = {"name": "main", "dag": {"tasks": [{"name": "t", "template": "train", "arguments": feed}]}}
    parameters = [{"name": "lr", "value": "0.1", "description": "rate"}, {"name": "must"}]
    document = support.template("name", [main, train], parameters=parameters)
    document["metadata"]["annotations"]["artifacts.ai.sap.com/datain.kind"] = "dataset"
    found = read_executable(document)
    assert found.parameters == (
        {"name": "lr", "type": "string", "default": "0.1", "description": "rate"},
        {"name": "must", "type": "string"},
    )
    assert found.inputs == ({"name": "datain", "kind": "dataset"},)
    assert found.outputs == ({"name": "trainedmodel"},)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("kind", "ServingTemplate", "argoproj.io/v1alpha1/ServingTemplate is not served here"),
        ("metadata.name", "Upper_Case", "metadata.name"),
        ("metadata.name", "a" * 65, "metadata.name"),
        ("metadata.labels", {"ai.sap.com/version": "1"}, "scenarios.ai.sap.com/id is missing"),
        ("metadata.labels", {"scenarios.ai.sap.com/id": 1}, "must be a text"),
        ("metadata.annotations", {}, "scenarios.ai.sap.com/name is missing"),
        ("spec.entrypoint", "absent", "names no template"),
        ("spec.templates", "text", "must be a list"),
        ("spec.arguments", {"parameters": [{"name": "p", "value": 1}]}, "spec.arguments.parameters.p.value"),
    ],
)
def test_bad_templates(support: Any, path: str, value: Any, message: str) -> None:
    document = support.template("name", [_leaf()])
    *folders, last = path.split(".")
    place = document
    for folder in folders:
        place = place[folder]
    place[last] = value
    with pytest.raises(TemplateError) as failed:
        read_executable(document)
    assert message in str(failed.value)


BOMB = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n".encode()
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "unfolds into too many"),
        (b"a: &a [*a]", "unfolds"),
        (b"a: 1\na: 2", "found the key 'a' twice"),
        (b"!!python/object/apply:os.system [id]", "could not determine a constructor"),
        (b"a: b: c", "mapping values are not allowed"),
        (b"\xff\xfe", "can't decode"),
        (b"[" * 5000, "nested too deeply"),
        (b"#" * 1_000_001, "at most 1000000"),
    ],
)
def test_hostile_yaml(text: bytes, message: str) -> None:
    """Proves: bombs, tags, duplicates, depth and size end in one clear error."""
    with pytest.raises(DocumentError) as failed:
        load_documents(text)
    assert message in str(failed.value)


def test_documents_and_json() -> None:
    assert load_documents(b"a: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert load_documents(b'{"a": [1, 2]}') == [{"a": [1, 2]}]
