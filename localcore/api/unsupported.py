"""Deployments and execution schedules: empty lists, and a clear 501 for creating one.

`/lm/meta` says that they are not offered. An unknown id is 404, as everywhere.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from localcore.api.context import Group
from localcore.api.scenarios import listed
from localcore.errors import ApiError, not_found

router = APIRouter(prefix="/lm")
_KINDS = {"deployments": "Deployment", "executionSchedules": "Execution schedule"}


def _refused(request: Request) -> ApiError:
    kind = request.url.path.split("/")[3]
    message = f"{kind} are not offered by the local AI Core; see /v2/lm/meta for what is"
    return ApiError(501, message, target=request.url.path)


def _empty(_: Group) -> dict[str, Any]:
    return listed([])


def _zero(_: Group) -> PlainTextResponse:
    return PlainTextResponse("0")


def _create(_: Group, request: Request) -> None:
    raise _refused(request)


def _one(_: Group, request: Request, identifier: str) -> None:
    raise not_found(_KINDS[request.url.path.split("/")[3]], identifier)


for _path in _KINDS:
    router.get(f"/{_path}")(_empty)
    router.get(f"/{_path}/$count")(_zero)
    router.api_route(f"/{_path}", methods=["POST", "PATCH"])(_create)
    router.api_route(f"/{_path}/{{identifier}}", methods=["GET", "PATCH", "DELETE"])(_one)
router.get("/deployments/{identifier}/logs")(_one)
