"""On-boarded Git repositories. Their credentials go in and never come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter

from localcore.api.bodies import RepositoryBody, RepositoryPatch
from localcore.api.context import Paging, Svc
from localcore.api.scenarios import listed
from localcore.errors import ApiError, invalid, not_found
from localcore.store.database import Row

router = APIRouter(prefix="/admin/repositories")
_SCHEMES = ("http", "https", "ssh", "git", "file")


def _check_url(url: str) -> None:
    """An absolute path or a Git URL, without credentials in it."""
    if Path(url).is_absolute() or ("://" not in url and "@" in url and ":" in url):
        return
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise invalid("url", f"must be an absolute path or a URL of {', '.join(_SCHEMES)}")
    if parts.password is not None:
        raise invalid("url", "must not hold a password; use the fields username and password")


def _document(row: Row) -> dict[str, Any]:
    return {"name": row["name"], "url": row["url"], "status": "COMPLETED"}


@router.post("")
def create(svc: Svc, body: RepositoryBody) -> dict[str, Any]:
    _check_url(body.url)
    if not svc.store.admin.create_repository(body.name, body.url, body.username, body.password):
        raise ApiError(409, f"Repository '{body.name}' already exists.")
    svc.sync.refresh()
    return {"id": body.name, "message": "Repository has been on-boarded."}


@router.get("")
def query(svc: Svc, page: Paging) -> dict[str, Any]:
    return listed([_document(row) for row in svc.store.admin.repositories(page)])


@router.get("/{name}")
def get(svc: Svc, name: str) -> dict[str, Any]:
    row = svc.store.admin.repository(name)
    if row is None:
        raise not_found("Repository", name)
    return _document(row)


@router.patch("/{name}")
def modify(svc: Svc, name: str, body: RepositoryPatch) -> dict[str, Any]:
    if not svc.store.admin.update_repository(name, body.username, body.password):
        raise not_found("Repository", name)
    svc.sync.refresh()
    return {"id": name, "message": "Repository credentials have been updated."}


@router.delete("/{name}")
def delete(svc: Svc, name: str) -> dict[str, Any]:
    if not svc.store.admin.delete_repository(name):
        raise not_found("Repository", name)
    return {"id": name, "message": "Repository has been off-boarded."}
