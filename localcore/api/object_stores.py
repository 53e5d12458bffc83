"""Object-store secrets of a resource group: metadata can be read, data never."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from localcore.api.bodies import ObjectStoreBody
from localcore.api.context import Group, Paging, Svc
from localcore.api.scenarios import listed
from localcore.errors import ApiError, invalid, not_found
from localcore.store.secrets import Secret

router = APIRouter(prefix="/admin/objectStoreSecrets")
_REQUIRED = {
    "S3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "oss": ("BUCKET", "ENDPOINT", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
    "webhdfs": ("HDFS_NAMENODE", "TLS_CERT", "TLS_KEY", "HEADERS"),
    "azure": ("CONTAINER_URI", "STORAGE_ACCESS_KEY"),
    "gcs": ("BUCKET", "PRIVATE_KEY"),
    "directory": (),
}
_PREFIX = "storage.ai.sap.com/"
_SERVING = "serving.kubeflow.org/s3-"


def _metadata(body: ObjectStoreBody) -> dict[str, str]:
    """The fields that may be read back, under AI Core's own keys."""
    if body.type not in _REQUIRED:
        raise invalid("type", f"'{body.type}' is none of {', '.join(_REQUIRED)}")
    for key in _REQUIRED[body.type]:
        if not body.data.get(key):
            raise invalid(f"data.{key}", "is missing")
    if body.type == "S3" and not body.bucket:
        raise invalid("bucket", "is missing")
    found = {"type": body.type, "bucket": body.bucket, "endpoint": body.endpoint, "region": body.region}
    found |= {"pathPrefix": body.path_prefix}
    serving = {"usehttps": body.usehttps, "verifyssl": body.verifyssl}
    served = {_SERVING + key: _flag(value) for key, value in serving.items() if value is not None}
    return {_PREFIX + key: value for key, value in found.items() if value} | served


def _flag(value: str | bool | int) -> str:
    return "0" if str(value).lower() in ("0", "false") else "1"


def _document(secret: Secret) -> dict[str, Any]:
    return {"name": secret.name, "metadata": secret.metadata}


@router.post("", status_code=202)
def create(svc: Svc, group: Group, body: ObjectStoreBody) -> dict[str, Any]:
    if not svc.store.object_stores.create(group, body.name, body.data, _metadata(body)):
        raise ApiError(409, f"Secret '{body.name}' already exists.")
    svc.engine.wake()
    return {"id": body.name, "message": "secret has been created"}


@router.get("")
def query(svc: Svc, group: Group, page: Paging) -> dict[str, Any]:
    return listed([_document(secret) for secret in svc.store.object_stores.page(group, page)])


@router.get("/{name}")
def get(svc: Svc, group: Group, name: str) -> dict[str, Any]:
    secret = svc.store.object_stores.get(group, name)
    if secret is None:
        raise not_found("Object store secret", name)
    return _document(secret)


@router.patch("/{name}", status_code=202)
def modify(svc: Svc, group: Group, name: str, body: ObjectStoreBody) -> dict[str, Any]:
    if not svc.store.object_stores.update(group, name, body.data, _metadata(body)):
        raise not_found("Object store secret", name)
    svc.engine.wake()
    return {"id": name, "message": "secret has been modified"}


@router.delete("/{name}", status_code=202)
def delete(svc: Svc, group: Group, name: str) -> dict[str, Any]:
    if not svc.store.object_stores.delete(group, name):
        raise not_found("Object store secret", name)
    return {"id": name, "message": "secret has been deleted"}
