"""Docker registry secrets (tenant-wide) and generic secrets (tenant or group).

Names can be read, data never.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from localcore.api.bodies import DataBody, DockerBody, GroupLabel, SecretBody, SecretPatch
from localcore.api.context import Paging, RbacDeniedError, Svc
from localcore.api.scenarios import listed
from localcore.errors import ApiError, invalid, not_found
from localcore.store.secrets import TENANT, Secret

docker_router = APIRouter(prefix="/admin/dockerRegistrySecrets")
generic_router = APIRouter(prefix="/admin/secrets")


def _check_docker(data: dict[str, str]) -> None:
    try:
        valid = isinstance(json.loads(data.get(".dockerconfigjson", "")).get("auths"), dict)
    except (ValueError, AttributeError):
        valid = False
    if not valid:
        raise invalid("data..dockerconfigjson", 'must be a JSON text with the key "auths"')


@docker_router.post("", status_code=202)
def docker_create(svc: Svc, body: DockerBody) -> dict[str, Any]:
    """A name that exists is answered without an error and without effect, as AI Core was seen to do."""
    _check_docker(body.data)
    created = svc.store.docker_secrets.create(TENANT, body.name, body.data, {})
    return {"id": body.name, "message": "secret has been created" if created else "Secret exists"}


@docker_router.get("")
def docker_query(svc: Svc, page: Paging) -> dict[str, Any]:
    return listed([{"name": secret.name} for secret in svc.store.docker_secrets.page(TENANT, page)])


@docker_router.get("/{name}")
def docker_get(svc: Svc, name: str) -> dict[str, Any]:
    if svc.store.docker_secrets.get(TENANT, name) is None:
        raise not_found("Docker registry secret", name)
    return {"name": name}


@docker_router.patch("/{name}", status_code=202)
def docker_modify(svc: Svc, name: str, body: DataBody) -> dict[str, Any]:
    _check_docker(body.data)
    if not svc.store.docker_secrets.update(TENANT, name, body.data, {}):
        raise not_found("Docker registry secret", name)
    return {"id": name, "message": "secret has been modified"}


@docker_router.delete("/{name}", status_code=202)
def docker_delete(svc: Svc, name: str) -> dict[str, Any]:
    if not svc.store.docker_secrets.delete(TENANT, name):
        raise not_found("Docker registry secret", name)
    return {"id": name, "message": "secret has been deleted"}


def scope(request: Request, svc: Svc) -> str:
    """`*` with AI-Tenant-Scope: true (the SDK's default), else the resource group of the header."""
    if request.headers.get("AI-Tenant-Scope", "").lower() == "true":
        return TENANT
    group = request.headers.get("AI-Resource-Group", "default")
    if group != TENANT and svc.store.admin.group(group) is None:
        raise RbacDeniedError
    return group


Scope = Annotated[str, Depends(scope)]


def _document(secret: Secret) -> dict[str, Any]:
    return {
        "name": secret.name,
        "createdAt": secret.created_at,
        "labels": secret.metadata.get("labels") or [],
    }


def _labels(labels: list[GroupLabel] | None) -> dict[str, Any]:
    return {"labels": [label.wire() for label in labels or ()]}


def _detailed(svc: Svc, secret: Secret, where: str) -> dict[str, Any]:
    """A secret of the whole tenant tells which resource groups have it: here all have, at once."""
    if where != TENANT:
        return _document(secret)
    groups = {str(row["id"]): True for row in svc.store.admin.groups()}
    return _document(secret) | {"resourceGroupSecretsSyncStatus": groups}


@generic_router.post("")
def create(svc: Svc, where: Scope, body: SecretBody) -> dict[str, Any]:
    if not svc.store.generic_secrets.create(where, body.name, body.data, _labels(body.labels)):
        raise ApiError(409, f"Secret '{body.name}' already exists.")
    return {"name": body.name, "message": "The secret has been created"}


@generic_router.get("")
def query(svc: Svc, where: Scope, page: Paging) -> dict[str, Any]:
    return listed([_document(secret) for secret in svc.store.generic_secrets.page(where, page)])


@generic_router.get("/{name}")
def get(svc: Svc, where: Scope, name: str) -> dict[str, Any]:
    secret = svc.store.generic_secrets.get(where, name)
    if secret is None:
        raise not_found("Secret", name)
    return _detailed(svc, secret, where)


@generic_router.patch("/{name}")
def modify(svc: Svc, where: Scope, name: str, body: SecretPatch) -> dict[str, Any]:
    """All values are replaced; the labels stay where the request names none."""
    secret = svc.store.generic_secrets.get(where, name)
    kept = secret.metadata if secret and body.labels is None else _labels(body.labels)
    if not svc.store.generic_secrets.update(where, name, body.data, kept):
        raise not_found("Secret", name)
    return {"name": name, "message": "The secret has been modified"}


@generic_router.delete("/{name}")
def delete(svc: Svc, where: Scope, name: str) -> Response:
    """An empty 200, as AI Core answers; the SDK makes its own message of it."""
    if not svc.store.generic_secrets.delete(where, name):
        raise not_found("Secret", name)
    return Response(status_code=200)
