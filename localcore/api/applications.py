"""Applications: which folder of which repository is synced, and how that went."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from localcore import ids
from localcore.api.bodies import ApplicationBody, ApplicationPatch
from localcore.api.context import Paging, Svc
from localcore.api.scenarios import listed
from localcore.errors import ApiError, invalid, not_found
from localcore.store.database import Row
from localcore.store.query import Page

router = APIRouter(prefix="/admin/applications")


def _found(svc: Svc, name: str) -> Row:
    row = svc.store.admin.application(name)
    if row is None:
        raise not_found("Application", name)
    return row


def _document(row: Row) -> dict[str, Any]:
    return {
        "applicationName": row["name"],
        "repositoryUrl": row["repository_url"],
        "path": row["path"],
        "revision": row["revision"],
    }


def _repository_url(svc: Svc, body: ApplicationBody) -> str:
    if (body.repository_name is None) == (body.repository_url is None):
        raise invalid("repositoryName", "exactly one of repositoryName and repositoryUrl is needed")
    if body.repository_url is not None:
        return body.repository_url
    row = svc.store.admin.repository(str(body.repository_name))
    if row is None:
        raise invalid("repositoryName", f"Repository {body.repository_name} not found for tenant local")
    return str(row["url"])


@router.post("")
def create(svc: Svc, body: ApplicationBody) -> dict[str, Any]:
    name = body.application_name or f"app-{ids.execution_id()}"
    url = _repository_url(svc, body)
    if not svc.store.admin.create_application(name, url, body.path, body.revision):
        raise ApiError(409, f"Application '{name}' already exists.")
    svc.sync.refresh()
    return {"id": name, "message": "Application has been successfully created."}


@router.get("")
def query(svc: Svc, page: Paging) -> dict[str, Any]:
    found = [_document(row) for row in svc.store.admin.applications()]
    return listed(_cut(found, page), len(found))


def _cut(found: list[dict[str, Any]], page: Page) -> list[dict[str, Any]]:
    return found[page.skip : page.skip + page.top]


@router.get("/{name}")
def get(svc: Svc, name: str) -> dict[str, Any]:
    return _document(_found(svc, name))


@router.get("/{name}/status")
def status(svc: Svc, name: str) -> dict[str, Any]:
    """With the misspelt twin `syncRessourcesStatus` that the specification still lists."""
    found = svc.store.admin.application_status(_found(svc, name))
    return found | {"syncRessourcesStatus": found["syncResourcesStatus"]}


@router.post("/{name}/refresh", status_code=202)
def refresh(svc: Svc, name: str) -> dict[str, Any]:
    _found(svc, name)
    svc.sync.refresh()
    return {"id": name, "message": f"A refresh of the application {name} has been scheduled."}


@router.patch("/{name}")
def modify(svc: Svc, name: str, body: ApplicationPatch) -> dict[str, Any]:
    if not svc.store.admin.update_application(name, body.repository_url, body.path, body.revision):
        raise not_found("Application", name)
    svc.sync.refresh()
    return {"id": name, "message": "Application has been successfully updated."}


@router.delete("/{name}")
def delete(svc: Svc, name: str) -> dict[str, Any]:
    """The executables it brought go with it."""
    if not svc.store.admin.delete_application(name):
        raise not_found("Application", name)
    svc.sync.refresh()
    svc.engine.wake()
    return {"id": name, "message": "Application has been successfully deleted."}
