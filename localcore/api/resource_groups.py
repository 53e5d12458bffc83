"""Resource groups and their labels."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from localcore.api.bodies import GroupBody, GroupLabel, GroupPatch
from localcore.api.context import Paging, Svc
from localcore.api.filters import selectors
from localcore.api.scenarios import listed
from localcore.errors import ApiError, not_found
from localcore.store.database import Row, unpack

router = APIRouter(prefix="/admin/resourceGroups")
_TENANT = {"tenantId": "local", "zoneId": ""}


def _document(row: Row) -> dict[str, Any]:
    found = {"resourceGroupId": row["id"], "createdAt": row["created_at"], "labels": unpack(row["labels"])}
    return found | _TENANT | {"status": "PROVISIONED", "statusMessage": "All onboarding steps are completed."}


def _packed(labels: list[GroupLabel]) -> list[dict[str, str]]:
    return [label.wire() for label in labels]


def _matches(document: dict[str, Any], wanted: list[tuple[str, bool, str]]) -> bool:
    held = {(label["key"], label["value"]) for label in document["labels"]}
    return all(((key, value) in held) is equal for key, equal, value in wanted)


@router.post("", status_code=202)
def create(svc: Svc, body: GroupBody) -> dict[str, Any]:
    """Without an object store: as in AI Core, its executions wait until a secret `default` is registered."""
    if not svc.store.admin.create_group(body.resource_group_id, _packed(body.labels)):
        raise ApiError(409, f"Resource group '{body.resource_group_id}' already exists.")
    return {"resourceGroupId": body.resource_group_id, **_TENANT}


@router.get("")
def query(request: Request, svc: Svc, page: Paging) -> dict[str, Any]:
    wanted = selectors(request, "labelSelector", 10)
    found = [document for document in map(_document, svc.store.admin.groups()) if _matches(document, wanted)]
    return listed(found[page.skip : page.skip + page.top], len(found))


@router.get("/{name}")
def get(svc: Svc, name: str) -> dict[str, Any]:
    row = svc.store.admin.group(name)
    if row is None:
        raise not_found("Resource group", name)
    return _document(row)


@router.patch("/{name}", status_code=202)
def modify(svc: Svc, name: str, body: GroupPatch) -> Response:
    if not svc.store.admin.label_group(name, _packed(body.labels)):
        raise not_found("Resource group", name)
    return Response(status_code=202)


@router.delete("/{name}", status_code=202)
def delete(svc: Svc, name: str) -> dict[str, Any]:
    """All that lies in the group goes with it; not while something runs in it, and never `default`."""
    if svc.store.admin.group(name) is None:
        raise not_found("Resource group", name)
    if name == "default":
        raise ApiError(400, "The resource group 'default' cannot be deleted.")
    if svc.store.admin.group_in_use(name):
        raise ApiError(
            412,
            f"Resource group '{name}' has executions or deployments that have not ended; stop them first.",
        )
    executions, deployments = svc.store.admin.delete_group(name)
    svc.engine.forget(executions)
    svc.deployments.forget(deployments)
    return {"id": name, "message": "Resource group deletion scheduled"}
