"""Configurations: created, listed, never changed or deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from localcore.api.artifacts import expand
from localcore.api.bodies import ConfigurationBody
from localcore.api.context import Group, Paging, Svc, items
from localcore.api.filters import search
from localcore.api.scenarios import listed
from localcore.errors import invalid, not_found
from localcore.store.query import Where

router = APIRouter(prefix="/lm/configurations")


def _where(request: Request, group: str) -> Where:
    where = (
        Where().equal("resource_group", group).equal("scenario_id", request.query_params.get("scenarioId"))
    )
    where.among("executable_id", items(request, "executableIds", 1000))
    return search(request, where, ("name",))


def _unique(keys: list[str], field: str) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise invalid(field, f"the key '{twice[0]}' is bound twice")


@router.post("", status_code=201)
def create(svc: Svc, group: Group, body: ConfigurationBody) -> dict[str, Any]:
    """Artifacts must exist; the executable need not yet (its executions stay UNKNOWN until it does)."""
    _unique([binding.key for binding in body.parameter_bindings], "parameterBindings")
    _unique([binding.key for binding in body.input_artifact_bindings], "inputArtifactBindings")
    bound = [binding.artifact_id for binding in body.input_artifact_bindings]
    missing = svc.store.artifacts.missing(group, bound)
    if missing:
        position = bound.index(missing[0])
        raise invalid(
            f"inputArtifactBindings.{position}.artifactId", f"artifact '{missing[0]}' does not exist"
        )
    return {"id": svc.store.configurations.create(group, body.wire()), "message": "Configuration created"}


@router.get("")
def query(request: Request, svc: Svc, group: Group, page: Paging) -> dict[str, Any]:
    where = _where(request, group)
    found = svc.store.configurations.page(where, page)
    return listed(expand(request, svc, found), svc.store.configurations.count(where))


@router.get("/$count", response_class=PlainTextResponse)
def count(request: Request, svc: Svc, group: Group) -> str:
    return str(svc.store.configurations.count(_where(request, group)))


@router.get("/{configuration_id}")
def get(request: Request, svc: Svc, group: Group, configuration_id: str) -> dict[str, Any]:
    found = svc.store.configurations.get(group, configuration_id)
    if found is None:
        raise not_found("Configuration", configuration_id)
    return expand(request, svc, [found])[0]
