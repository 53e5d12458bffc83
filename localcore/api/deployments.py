"""Deployments: a request is checked as AI Core checks it; what would be served is not run here.

The lists are empty, an unknown id is 404, and `/lm/meta` says that deployments are not offered.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from localcore import serving
from localcore.api.bodies import DeploymentBody
from localcore.api.context import Group, Services, Svc
from localcore.api.scenarios import listed
from localcore.errors import ApiError, invalid, not_found
from localcore.store.database import Row, unpack

router = APIRouter(prefix="/lm/deployments")
NOT_FOUND = "01010016"


def _deployable(svc: Services, configuration: dict[str, Any]) -> Row:
    """The ServingTemplate of a configuration. Raises ApiError 400 when it has none."""
    name = configuration["executableId"]
    found = svc.store.catalog.executable(name, configuration["scenarioId"])
    if found is None:
        raise invalid(
            "configurationId",
            f"executable '{name}' of scenario '{configuration['scenarioId']}' does not exist",
        )
    if not found["deployable"]:
        raise invalid(
            "configurationId", f"executable '{name}' is a WorkflowTemplate: it is executed, not deployed"
        )
    return found


def _rendered(svc: Services, group: str, configuration: dict[str, Any]) -> serving.ServingSpec:
    """What would be served. Raises ApiError 400 in AI Core's words for a placeholder without value."""
    template = unpack(_deployable(svc, configuration)["template"])
    values = {binding["key"]: binding["value"] for binding in configuration["parameterBindings"]}
    bound = {binding["key"]: binding["artifactId"] for binding in configuration["inputArtifactBindings"]}
    artifacts = {key: svc.store.artifacts.get(group, identifier) for key, identifier in bound.items()}
    urls = {key: found["url"] for key, found in artifacts.items() if found is not None}
    try:
        return serving.render(template, values, urls)
    except serving.ServingError as error:
        raise ApiError(400, str(error), target="configurationId") from error


@router.post("")
def create(svc: Svc, group: Group, body: DeploymentBody) -> None:
    """400 for what AI Core would refuse, 501 for what it would deploy."""
    configuration = svc.store.configurations.get(group, body.configuration_id)
    if configuration is None:
        raise invalid("configurationId", f"configuration '{body.configuration_id}' does not exist")
    _rendered(svc, group, configuration)
    raise ApiError(
        501,
        "the request is right, but deployments are not run by the local AI Core; see /v2/lm/meta for what is",
        target="/v2/lm/deployments",
    )


@router.get("")
def query(_: Group) -> dict[str, Any]:
    return listed([])


@router.get("/$count")
def count(_: Group) -> PlainTextResponse:
    return PlainTextResponse("0")


@router.patch("")
def bulk(_: Group) -> None:
    raise ApiError(501, "deployments are not offered by the local AI Core; see /v2/lm/meta for what is")


@router.api_route("/{deployment_id}", methods=["GET", "PATCH", "DELETE"])
@router.get("/{deployment_id}/logs")
def one(_: Group, deployment_id: str) -> None:
    raise not_found("Deployment", deployment_id, NOT_FOUND)
