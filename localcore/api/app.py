"""The application: routes, rights and error envelopes put together."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from localcore import ids
from localcore.api import (
    applications,
    artifacts,
    configurations,
    deployments,
    executions,
    inference,
    meta,
    metrics,
    oauth,
    object_stores,
    repositories,
    requests,
    resource_groups,
    scenarios,
    secrets,
    unsupported,
)
from localcore.api.context import RbacDeniedError, Services, authorised
from localcore.api.guard import Guard
from localcore.errors import ApiError

_V2 = (
    scenarios.router,
    artifacts.router,
    configurations.router,
    executions.router,
    deployments.router,
    inference.router,
    metrics.router,
    meta.router,
    unsupported.router,
    repositories.router,
    applications.router,
    object_stores.router,
    secrets.docker_router,
    secrets.generic_router,
    resource_groups.router,
)


def envelope(request: Request, error: ApiError) -> JSONResponse:
    """AI Core's error form. `target` is the field at fault, or else the path."""
    found: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "requestId": ids.request_id(),
        "target": error.target or request.url.path,
    }
    if error.details is not None:
        found["details"] = error.details
    return JSONResponse({"error": found}, error.status)


def _api_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    return envelope(request, error)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """400 naming each field at fault; never its value, which may be a secret."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [(".".join(str(part) for part in one["loc"][1:]) or "body", one["msg"]) for one in error.errors()]
    message = "; ".join(f"{field}: {text}" for field, text in found)
    details = {"fields": [{"field": field, "message": text} for field, text in found]}
    answer = ApiError(
        400, f"Invalid Request, {message}", code="01010019", target=found[0][0], details=details
    )
    return envelope(request, answer)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return envelope(request, ApiError(error.status_code, str(error.detail)))


def _rbac(_request: Request, _error: Exception) -> PlainTextResponse:
    return PlainTextResponse("RBAC: access denied", 403)


def _internal(request: Request, _error: Exception) -> JSONResponse:
    return envelope(request, ApiError(500, "Internal error; the server's log says more."))


def create_app(services: Services, log: requests.RequestLog) -> FastAPI:
    """The ASGI application of one data folder."""
    app = FastAPI(title="local AI Core", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.state.requests = log
    guarded = APIRouter(dependencies=[Depends(authorised)])
    for router in _V2:
        guarded.include_router(router, prefix="/v2")
    guarded.include_router(requests.router)
    app.include_router(guarded)
    app.include_router(oauth.router)
    app.include_router(metrics.pod_router)
    app.get("/ready")(ready)
    app.add_middleware(Guard, log=log)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RbacDeniedError, _rbac)
    app.add_exception_handler(Exception, _internal)
    return app


def ready() -> dict[str, str]:
    """Answers as soon as the server serves; needs no token and tells nothing."""
    return {"status": "READY"}
