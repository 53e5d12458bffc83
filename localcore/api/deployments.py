"""Deployments: created, listed, updated, stopped, deleted; and their logs. Their answers: `inference`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from localcore import ids, serving
from localcore.api.bodies import DeploymentBody, DeploymentBulk, DeploymentPatch
from localcore.api.context import Group, Paging, Services, Svc, items
from localcore.api.executions import log_lines, reduced
from localcore.api.filters import choice
from localcore.api.scenarios import listed
from localcore.engines.serving import NOT_FOUND
from localcore.errors import ApiError, invalid, not_found
from localcore.store.database import Row, unpack
from localcore.store.deployments import ACTIVE, FINAL, document, lifetime, status_document
from localcore.store.query import Where

router = APIRouter(prefix="/lm/deployments")
#: The shortest time to live is AI Core's own; the longest is what a date can hold.
SHORTEST, LONGEST = timedelta(minutes=10), timedelta(days=36500)


def _configuration(svc: Services, group: str, identifier: str) -> dict[str, Any]:
    """A configuration that can be deployed. Raises ApiError 400, in AI Core's words where they are known."""
    found = svc.store.configurations.get(group, identifier)
    if found is None:
        raise invalid("configurationId", f"configuration '{identifier}' does not exist")
    name = found["executableId"]
    executable = svc.store.catalog.executable(name, found["scenarioId"])
    if executable is None:
        raise invalid(
            "configurationId", f"executable '{name}' of scenario '{found['scenarioId']}' does not exist"
        )
    if not executable["deployable"]:
        raise invalid(
            "configurationId", f"executable '{name}' is a WorkflowTemplate: it is executed, not deployed"
        )
    try:
        serving.render(unpack(executable["template"]), *svc.store.bindings(group, found))
    except serving.ServingError as error:
        raise ApiError(400, str(error), target="configurationId") from error
    return found


@router.post("", status_code=202)
def create(svc: Svc, group: Group, body: DeploymentBody) -> dict[str, Any]:
    ttl = body.ttl or ""
    if ttl and not SHORTEST <= lifetime(ttl) <= LONGEST:
        raise invalid("ttl", "a time to live is at least 10m, and at most a hundred years")
    configuration = _configuration(svc, group, body.configuration_id)
    identifier = svc.store.deployments.create(group, configuration, ttl)
    svc.deployments.wake()
    answer = {"id": identifier, "message": "Deployment scheduled.", "deploymentUrl": "", "status": "UNKNOWN"}
    return answer | ({"ttl": ttl} if ttl else {})


def _where(request: Request, group: str) -> Where:
    query = request.query_params
    where = Where().equal("resource_group", group).equal("scenario_id", query.get("scenarioId"))
    where.equal("configuration_id", query.get("configurationId"))
    where.among("executable_id", items(request, "executableIds", 1000))
    return where.equal("status", choice(request, "status", (*ACTIVE, *FINAL)))


@router.get("")
def query(request: Request, svc: Svc, group: Group, page: Paging) -> dict[str, Any]:
    where = _where(request, group)
    found = svc.store.deployments.page(where, page, reduced=reduced(request))
    return listed(found, svc.store.deployments.count(where))


@router.get("/$count", response_class=PlainTextResponse)
def count(request: Request, svc: Svc, group: Group) -> str:
    return str(svc.store.deployments.count(_where(request, group)))


@router.patch("", status_code=202)
def bulk(request: Request, svc: Svc, group: Group, body: DeploymentBulk) -> dict[str, Any]:
    """Each on its own: one that cannot be changed does not hinder the others."""
    results: list[dict[str, Any]] = []
    for item in body.deployments:
        try:
            results.append(_change(svc, group, item.id, item.target_status))
        except ApiError as error:
            described = {"code": error.code, "message": error.message}
            described |= {"requestId": ids.request_id(), "target": request.url.path}
            results.append({"id": item.id, "error": described})
    return {"deployments": results}


def _found(svc: Services, group: str, deployment_id: str) -> Row:
    row = svc.store.deployments.find(group, deployment_id)
    if row is None:
        raise not_found("Deployment", deployment_id, NOT_FOUND)
    return row


@router.get("/{deployment_id}")
def get(request: Request, svc: Svc, group: Group, deployment_id: str) -> dict[str, Any]:
    row = _found(svc, group, deployment_id)
    return status_document(row) if reduced(request) else document(row)


def _change(svc: Services, group: str, deployment_id: str, target: str) -> dict[str, Any]:
    if target == "STOPPED":
        svc.deployments.request_stop(group, deployment_id)
        return {"id": deployment_id, "message": "Deployment modification scheduled"}
    svc.deployments.delete(group, deployment_id)
    return {"id": deployment_id, "message": "Deployment deletion scheduled", "targetStatus": "DELETED"}


@router.patch("/{deployment_id}", status_code=202)
def modify(svc: Svc, group: Group, deployment_id: str, body: DeploymentPatch) -> dict[str, Any]:
    """Stop it, or give it another configuration of the same executable."""
    if (body.target_status is None) == (body.configuration_id is None):
        raise invalid("targetStatus", "give either targetStatus or configurationId")
    if body.configuration_id is None:
        return _change(svc, group, deployment_id, "STOPPED")
    row = _found(svc, group, deployment_id)
    configuration = _configuration(svc, group, body.configuration_id)
    if (configuration["scenarioId"], configuration["executableId"]) != (
        row["scenario_id"],
        row["executable_id"],
    ):
        message = "the configuration is of another scenario or executable than the deployment"
        raise invalid("configurationId", message)
    svc.deployments.update(group, deployment_id, configuration)
    return {"id": deployment_id, "message": "Deployment modification scheduled"}


@router.delete("/{deployment_id}", status_code=202)
def delete(svc: Svc, group: Group, deployment_id: str) -> dict[str, Any]:
    return _change(svc, group, deployment_id, "DELETED")


@router.get("/{deployment_id}/logs")
def logs(request: Request, svc: Svc, group: Group, deployment_id: str) -> dict[str, Any]:
    """As those of executions; all revisions write one log."""
    _found(svc, group, deployment_id)
    return log_lines(request, svc.deployments.log_of(deployment_id).log)
