"""What becomes of a serving spec on one machine: the container, its port, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from localcore.engines.server import MODELS, names_its_port, on_port, read_server
from localcore.serving import ServingSpec
from localcore.workflow.errors import WorkflowError


def _spec(container: dict[str, Any] | None = None, **predictor: Any) -> ServingSpec:
    own = {"name": "kserve-container", "command": ["/bin/sh", "-c"], "args": ["serve --port 9001"]}
    spec = {"predictor": {"containers": [{**own, **(container or {})}], **predictor}}
    return ServingSpec({}, {"ai.sap.com/resourcePlan": "infer.s"}, spec)


def test_what_is_served() -> None:
    """Proves: port, probe, model and plan; what only a cluster can honour is let pass."""
    found = read_server(
        _spec(
            {
                "ports": [{"containerPort": 9001}],
                "readinessProbe": {"httpGet": {"path": "/v1/status", "port": 9001}},
                "livenessProbe": {},
                "env": [{"name": "STORAGE_URI", "value": "ai://default/m"}],
                "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
            },
            volumes=[{"name": "shm", "emptyDir": {}}],
            imagePullSecrets=[],
            minReplicas=0,
            securityContext={"runAsUser": 65534},
        )
    )
    assert (found.port, found.probe, found.model, found.plan) == (
        9001,
        "/v1/status",
        "ai://default/m",
        "infer.s",
    )
    assert found.template.input_artifacts[0].path == MODELS
    plain = read_server(_spec())
    assert (plain.port, plain.probe, plain.model, plain.template.input_artifacts) == (8080, "", None, ())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ServingSpec({}, {}, {}), "exactly one container is needed, found 0"),
        (ServingSpec({}, {}, {"predictor": {}, "transformer": {}}), "transformer is not supported"),
        (_spec(model={"modelFormat": {}}), "spec.predictor: model is not supported"),
        (_spec(initContainers=[]), "initContainers is not supported"),
        (_spec({"command": None}), "command is missing"),
        (_spec({"ports": [{"containerPort": 1}, {"containerPort": 2}]}), "one port can be served"),
        (_spec({"ports": [{"containerPort": "http"}]}), "containerPort: 'http' is not a whole number"),
        (_spec({"lifecycle": {}}), "lifecycle is not supported"),
        (_spec(volumes=[{"name": "v", "secret": {}}]), "secret is not supported"),
    ],
)
def test_refusals_name_the_place(spec: ServingSpec, message: str) -> None:
    with pytest.raises(WorkflowError) as failed:
        read_server(spec)
    assert message in str(failed.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serve --host 0.0.0.0 --port 9001", "serve --host 127.0.0.1 --port 7"),
        ("gunicorn -b 0.0.0.0:9001 app", "gunicorn -b 127.0.0.1:7 app"),
        (
            "http://localhost:9001/x --seed 90011 v9001 1.9001 10.0.0.0",
            "http://localhost:7/x --seed 90011 v9001 1.9001 10.0.0.0",
        ),
    ],
)
def test_the_port_is_moved(text: str, expected: str) -> None:
    """Proves: the declared port wherever it is written as a whole number; this machine's address only."""
    server = read_server(_spec({"args": [text], "ports": [{"containerPort": 9001}]}))
    container = on_port(server, 7).container
    assert container is not None
    assert container.args == (expected,)
    assert ("PORT", "7") in container.env


def test_a_port_that_is_not_written_down() -> None:
    """Proves: a server whose command does not name its port is known as such."""
    assert names_its_port(read_server(_spec({"ports": [{"containerPort": 9001}]})))
    assert not names_its_port(read_server(_spec({"args": ["serve"], "ports": [{"containerPort": 9001}]})))
    by_variable = {
        "args": ["serve"],
        "env": [{"name": "X", "value": "9001"}],
        "ports": [{"containerPort": 9001}],
    }
    assert names_its_port(read_server(_spec(by_variable)))
