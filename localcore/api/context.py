"""What every route needs: the services, the caller's rights, the resource group, and the page asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from localcore.auth import Credentials
from localcore.engines.process import ProcessEngine
from localcore.engines.serving import DeploymentEngine
from localcore.errors import ApiError, invalid
from localcore.gitsync import GitSync
from localcore.home import Home
from localcore.store.query import Page
from localcore.store.store import Store

MAX_TOP = 100_000


@dataclass(frozen=True)
class Services:
    """The parts of a running server, handed to every route."""

    home: Home
    store: Store
    engine: ProcessEngine
    deployments: DeploymentEngine
    sync: GitSync
    credentials: Credentials
    url: str


class RbacDeniedError(Exception):
    """403 as the service mesh of AI Core words it: plain text, no error envelope."""


def services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


Svc = Annotated[Services, Depends(services)]


def authorised(request: Request, svc: Svc) -> None:
    """401 without a valid bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not svc.credentials.valid(token.strip()):
        raise ApiError(401, "Unauthorized: a valid bearer token is required; fetch one at /oauth/token")


def resource_group(request: Request, svc: Svc) -> str:
    """The header AI-Resource-Group, `default` when absent; 403 for a group that does not exist."""
    group = request.headers.get("AI-Resource-Group", "default")
    if svc.store.admin.group(group) is None:
        raise RbacDeniedError
    return group


Group = Annotated[str, Depends(resource_group)]


def parameter(request: Request, name: str) -> str | None:
    """A query parameter with or without `$`: the SDK omits it on /lm lists (aicore.md section 1.0)."""
    return request.query_params.get(f"${name}", request.query_params.get(name))


def number(request: Request, name: str, default: int, maximum: int) -> int:
    """A whole number from 0 to `maximum`. Raises ApiError 400."""
    text = parameter(request, name)
    if text is None:
        return default
    if not text.isdigit() or int(text) > maximum:
        raise invalid(f"${name}", f"'{text}' is not a whole number from 0 to {maximum}")
    return int(text)


def page(request: Request) -> Page:
    return Page(number(request, "top", 10_000, MAX_TOP), number(request, "skip", 0, 2**31))


Paging = Annotated[Page, Depends(page)]


def items(request: Request, name: str, maximum: int) -> list[str] | None:
    """A comma-joined list. Raises ApiError 400 when it is too long."""
    text = request.query_params.get(name)
    if text is None:
        return None
    found = [item.strip() for item in text.split(",") if item.strip()]
    if len(found) > maximum:
        raise invalid(name, f"{len(found)} items; at most {maximum} are allowed")
    return found
