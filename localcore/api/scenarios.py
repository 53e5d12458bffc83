"""Scenarios, versions, executables and the (empty) model catalogue: read-only, they follow Git."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from localcore.api.context import Group, Svc
from localcore.errors import not_found
from localcore.store.catalog import executable_document

router = APIRouter(prefix="/lm/scenarios")


def listed(resources: list[dict[str, Any]], count: int | None = None) -> dict[str, Any]:
    """A list as every endpoint answers it; `count` is the number before paging."""
    return {"count": len(resources) if count is None else count, "resources": resources}


@router.get("")
def scenarios(svc: Svc, _: Group) -> dict[str, Any]:
    return listed(svc.store.catalog.scenarios())


@router.get("/{scenario_id}")
def scenario(svc: Svc, _: Group, scenario_id: str) -> dict[str, Any]:
    return _scenario(svc, scenario_id)


def _scenario(svc: Svc, scenario_id: str) -> dict[str, Any]:
    found = svc.store.catalog.scenario(scenario_id)
    if found is None:
        raise not_found("Scenario", scenario_id)
    return found


@router.get("/{scenario_id}/versions")
def versions(svc: Svc, _: Group, scenario_id: str) -> dict[str, Any]:
    _scenario(svc, scenario_id)
    return listed(svc.store.catalog.versions(scenario_id))


@router.get("/{scenario_id}/models")
def models(_: Group, scenario_id: str) -> dict[str, Any]:  # noqa: ARG001 - the list is empty for every scenario
    return listed([])


@router.get("/{scenario_id}/executables")
def executables(request: Request, svc: Svc, _: Group, scenario_id: str) -> dict[str, Any]:
    return listed(svc.store.catalog.executables(scenario_id, request.query_params.get("versionId")))


@router.get("/{scenario_id}/executables/{executable_id}")
def executable(svc: Svc, _: Group, scenario_id: str, executable_id: str) -> dict[str, Any]:
    row = svc.store.catalog.visible(executable_id, scenario_id)
    if row is None:
        raise not_found("Executable", executable_id)
    return executable_document(row)
