"""Answers against SAP's published OpenAPI file, where it is at hand (CORESPEC_SHARED, or ../shared)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ai_core_sdk.models import Status

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CORESPEC_SHARED", ROOT.parent / "shared"))
OPENAPI = SHARED / "aicore" / "AI_CORE_API.yaml"
validators = pytest.importorskip("openapi_schema_validator", reason="pip install openapi-schema-validator")
pytestmark = pytest.mark.skipif(not OPENAPI.exists(), reason=f"no {OPENAPI}: set CORESPEC_SHARED")


@pytest.fixture(scope="module")
def specification() -> Any:
    return yaml.load(
        OPENAPI.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )


@pytest.fixture(scope="module")
def known(core: Any, gitops: Any, support: Any) -> dict[str, str]:
    """One object of every kind, by the names of the specification's path parameters."""
    outputs = [{"name": "model", "globalName": "model", "path": "/m", "archive": {"none": {}}}]
    main = support.shell("main", "echo x > /m", outputs={"artifacts": outputs})
    parameters = [{"name": "rate", "value": "1", "description": "how fast"}]
    gitops.write("templates/whole.yaml", support.template("whole", [main], parameters=parameters))
    core.sync(gitops)
    core.put("data/file", "content")
    execution = core.execute("whole", {"rate": "2"})
    assert core.finished(execution).output_artifacts
    metric = {"name": "m", "value": 1, "step": 1, "labels": [{"name": "l", "value": "v"}]}
    body = {"executionId": execution, "metrics": [metric], "tags": [{"name": "t", "value": "v"}]}
    core.http("PATCH", "/v2/lm/metrics", json=body)
    client = core.client()
    client.docker_registry_secrets.create(name="docker", data={".dockerconfigjson": '{"auths": {}}'})
    client.secrets.create(name="generic", data={"k": "dg=="})
    server = support.serving("server", "predictor: {}", parameters=[{"name": "p", "default": "1"}])
    gitops.write("templates/server.yaml", server)
    core.sync(gitops)
    deployment = client.deployment.create(core.configure("server")).id
    support.wait_for(lambda: client.deployment.get(deployment).status == Status.DEAD, what="its end")
    return {
        "deploymentId": deployment,
        "scenarioId": support.scenario,
        "executableId": "whole",
        "artifactId": client.artifact.query().resources[0].id,
        "configurationId": client.configuration.query().resources[0].id,
        "executionId": execution,
        "repositoryName": "templates",
        "applicationName": "templates",
        "objectStoreName": "default",
        "dockerRegistryName": "docker",
        "resourceGroupId": "default",
    }


PATHS = (
    "/lm/scenarios",
    "/lm/scenarios/{scenarioId}",
    "/lm/scenarios/{scenarioId}/versions",
    "/lm/scenarios/{scenarioId}/models",
    "/lm/scenarios/{scenarioId}/executables",
    "/lm/scenarios/{scenarioId}/executables/{executableId}",
    "/lm/artifacts",
    "/lm/artifacts?$expand=scenario",
    "/lm/artifacts/{artifactId}",
    "/lm/configurations",
    "/lm/configurations/{configurationId}",
    "/lm/executions",
    "/lm/executions?$select=status",
    "/lm/executions/{executionId}",
    "/lm/executions/{executionId}/logs",
    "/lm/deployments",
    "/lm/deployments?$select=status",
    "/lm/deployments/{deploymentId}",
    "/lm/deployments/{deploymentId}/logs",
    "/lm/executionSchedules",
    "/lm/meta",
    "/lm/metrics?executionIds={executionId}",
    "/admin/repositories",
    "/admin/repositories/{repositoryName}",
    "/admin/applications",
    "/admin/applications/{applicationName}",
    "/admin/applications/{applicationName}/status",
    "/admin/objectStoreSecrets",
    "/admin/objectStoreSecrets/{objectStoreName}",
    "/admin/dockerRegistrySecrets",
    "/admin/dockerRegistrySecrets/{dockerRegistryName}",
    "/admin/secrets",
    "/admin/resourceGroups",
    "/admin/resourceGroups/{resourceGroupId}",
)


def _schema(specification: Any, node: Any) -> Any:
    while "$ref" in node:
        found: Any = specification
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _errors(specification: Any, path: str, status: int, answer: Any) -> list[str]:
    operation = specification["paths"][path.partition("?")[0]]["get"]
    response = _schema(specification, operation["responses"][str(status)])
    schema = response["content"]["application/json"]["schema"] | {"components": specification["components"]}
    found = validators.OAS30Validator(schema).iter_errors(answer)
    return [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message[:200]}" for error in found
    ]


@pytest.mark.parametrize("path", PATHS)
def test_answers_are_of_the_published_form(
    core: Any, specification: Any, known: dict[str, str], path: str
) -> None:
    answer = core.http("GET", "/v2" + path.format(**known), headers={"AI-Tenant-Scope": "true"})
    assert answer.status_code == 200, answer.text
    assert _errors(specification, path, 200, answer.json()) == []


OBJECTS = [path for path in PATHS if path.startswith("/lm") and path.endswith("Id}") and "?" not in path]


@pytest.mark.parametrize("path", OBJECTS)
def test_not_found_is_of_the_published_form(core: Any, specification: Any, path: str) -> None:
    places = dict.fromkeys(
        ("scenarioId", "executableId", "artifactId", "configurationId", "executionId", "deploymentId"),
        "absent-id",
    )
    answer = core.http("GET", "/v2" + path.format(**places))
    assert answer.status_code == 404
    assert _errors(specification, path, 404, answer.json()) == []
