"""Artifacts: registered, listed, never changed or deleted (AI Core has no endpoint for either)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from localcore.api.bodies import ArtifactBody
from localcore.api.context import Group, Paging, Svc, parameter
from localcore.api.filters import choice, search, selectors
from localcore.api.scenarios import listed
from localcore.errors import invalid, not_found
from localcore.store.query import Where

router = APIRouter(prefix="/lm/artifacts")
KINDS = ("model", "dataset", "resultset", "other")


def expand(request: Request, svc: Svc, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`$expand=scenario`: each document with its scenario, where there is one."""
    wanted = parameter(request, "expand")
    if wanted is None:
        return found
    if wanted != "scenario":
        raise invalid("$expand", f"'{wanted}' is not supported; only scenario is")
    scenarios = {scenario["id"]: scenario for scenario in svc.store.catalog.scenarios()}
    return [
        entry | ({"scenario": scenarios[entry["scenarioId"]]} if entry["scenarioId"] in scenarios else {})
        for entry in found
    ]


def _where(request: Request, group: str) -> Where:
    query = request.query_params
    where = Where().equal("resource_group", group).equal("scenario_id", query.get("scenarioId"))
    where.equal("execution_id", query.get("executionId")).equal("name", query.get("name"))
    where.equal("kind", choice(request, "kind", KINDS))
    search(request, where, ("name", "description"))
    return where.labels(selectors(request, "artifactLabelSelector", 10))


@router.post("", status_code=201)
def create(svc: Svc, group: Group, body: ArtifactBody) -> dict[str, Any]:
    identifier = svc.store.artifacts.create(group, body.wire())
    return {"id": identifier, "message": "Artifact acknowledged", "url": body.url}


@router.get("")
def query(request: Request, svc: Svc, group: Group, page: Paging) -> dict[str, Any]:
    where = _where(request, group)
    found = svc.store.artifacts.page(where, page)
    return listed(expand(request, svc, found), svc.store.artifacts.count(where))


@router.get("/$count", response_class=PlainTextResponse)
def count(request: Request, svc: Svc, group: Group) -> str:
    return str(svc.store.artifacts.count(_where(request, group)))


@router.get("/{artifact_id}")
def get(request: Request, svc: Svc, group: Group, artifact_id: str) -> dict[str, Any]:
    found = svc.store.artifacts.get(group, artifact_id)
    if found is None:
        raise not_found("Artifact", artifact_id)
    return expand(request, svc, [found])[0]
