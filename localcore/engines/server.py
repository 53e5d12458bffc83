"""A rendered serving spec as this machine can run it: one container, its port, its model; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from localcore.serving import ServingSpec
from localcore.workflow import containers
from localcore.workflow.errors import WorkflowError
from localcore.workflow.fields import known, mapping, mappings, text, whole, words
from localcore.workflow.model import Artifact, Container, Template

MODELS = "/mnt/models"
_PLAN = "ai.sap.com/resourcePlan"
#: Where KServe looks when a container declares no port.
_DEFAULT_PORT = 8080
# What tells a cluster how many and where has no effect here: one process serves.
_PREDICTOR = words(
    "containers volumes imagePullSecrets minReplicas maxReplicas containerConcurrency timeout scaleTarget"
    " scaleMetric securityContext serviceAccountName automountServiceAccountToken nodeSelector tolerations"
    " affinity priorityClassName terminationGracePeriodSeconds"
)
_PROBES = frozenset({"readinessProbe", "livenessProbe", "startupProbe"})


@dataclass(frozen=True)
class Server:
    """What to start. `template` has the container, and `/mnt/models` as its input when there is a `model`.

    `model` is a URL; `port` the one that the container declares; `probe` the path that tells whether it is
    ready, empty where an open port is enough; `plan` the resource plan, for those who ask.
    """

    template: Template
    port: int
    probe: str
    model: str | None
    plan: str


def read_server(spec: ServingSpec) -> Server:
    """Raises WorkflowError naming the field that cannot be honoured."""
    predictor = mapping(spec.spec.get("predictor"), "spec.predictor")
    known(spec.spec, frozenset({"predictor"}), "spec")
    known(predictor, _PREDICTOR, "spec.predictor")
    found = mappings(predictor.get("containers"), "spec.predictor.containers")
    if len(found) != 1:
        raise WorkflowError(f"spec.predictor.containers: exactly one container is needed, found {len(found)}")
    where = "spec.predictor.containers[0]"
    plain = {key: value for key, value in found[0].items() if key not in _PROBES}
    kinds = containers.volume_kinds(predictor, "spec.predictor")
    container = containers.parse(plain, "spec.predictor", "containers[0]", kinds)
    model = dict(container.env).get("STORAGE_URI")
    inputs = (Artifact("model", MODELS),) if model else ()
    return Server(
        template=Template(name="predictor", input_artifacts=inputs, container=container),
        port=_port(found[0], where),
        probe=_probe(found[0], where),
        model=model,
        plan=str(spec.labels.get(_PLAN, "")),
    )


def _port(container: dict[str, Any], where: str) -> int:
    ports = mappings(container.get("ports"), f"{where}.ports")
    if len(ports) > 1:
        raise WorkflowError(f"{where}.ports: one port can be served, found {len(ports)}")
    return whole(ports[0].get("containerPort"), f"{where}.ports[0].containerPort") if ports else _DEFAULT_PORT


def _probe(container: dict[str, Any], where: str) -> str:
    probe = mapping(container.get("readinessProbe"), f"{where}.readinessProbe")
    asked = mapping(probe.get("httpGet"), f"{where}.readinessProbe.httpGet")
    return text(asked.get("path", "/"), f"{where}.readinessProbe.httpGet.path") if asked else ""


def on_port(server: Server, port: int) -> Template:
    """The template with its declared port replaced by `port` wherever it is written; this machine only."""
    declared = re.compile(rf"(?<![\w.]){server.port}(?![\w.])")

    def moved(value: str) -> str:
        return re.sub(r"(?<![\d.])0\.0\.0\.0(?![\d.])", "127.0.0.1", declared.sub(str(port), value))

    container = server.template.container
    if container is None:
        raise WorkflowError("the serving spec has no container")
    own: Container = replace(
        container,
        command=tuple(map(moved, container.command)),
        args=tuple(map(moved, container.args)),
        env=(*((name, moved(value)) for name, value in container.env), ("PORT", str(port))),
    )
    return replace(server.template, container=own)


def names_its_port(server: Server) -> bool:
    """Whether the declared port is written in the command, the arguments or a variable."""
    return on_port(server, 0) != on_port(replace(server, port=0), 0)
