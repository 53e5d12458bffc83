"""Execution schedules: empty lists, and a clear 501 for creating one.

`/lm/meta` says that they are not offered. An unknown id is 404, as everywhere.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from localcore.api.context import Group
from localcore.api.scenarios import listed
from localcore.errors import ApiError, not_found

router = APIRouter(prefix="/lm/executionSchedules")


@router.get("")
def query(_: Group) -> dict[str, Any]:
    return listed([])


@router.get("/$count")
def count(_: Group) -> PlainTextResponse:
    return PlainTextResponse("0")


@router.api_route("", methods=["POST", "PATCH"])
def create(_: Group) -> None:
    message = "executionSchedules are not offered by the local AI Core; see /v2/lm/meta for what is"
    raise ApiError(501, message, target="/v2/lm/executionSchedules")


@router.api_route("/{identifier}", methods=["GET", "PATCH", "DELETE"])
def one(_: Group, identifier: str) -> None:
    raise not_found("Execution schedule", identifier)
