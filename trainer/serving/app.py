"""The HTTP interface put together: both protocols, metrics, the page to try it, errors."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from trainer.serving import classic, inference
from trainer.serving.errors import AnswerError, Fault
from trainer.serving.metrics import CONTENT_TYPE
from trainer.serving.page import PAGE, PAGE_HEADERS
from trainer.serving.service import Service
from trainer.serving.telemetry import Telemetry, add_gauges

logger = logging.getLogger(__name__)

_ABOUT = "Trained models behind HTTP. A page to try them out, which needs no network: [docs](docs)."


def create_app(service: Service) -> FastAPI:
    """The application.

    Every answer that is no result is ``{"error": {"code", "message", "details"}}``, below ``/v2``
    ``{"error": "message"}``.
    """
    app = FastAPI(title="model-serving", description=_ABOUT, docs_url=None, redoc_url=None)
    _add_error_handlers(app, service)
    add_gauges(service.meters, service.registry, service.gate)
    app.add_middleware(Telemetry, meters=service.meters)
    app.include_router(classic.router(service))
    app.include_router(inference.router(service))

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(service.meters.text(), media_type=CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(PAGE, headers=PAGE_HEADERS, media_type="text/html; charset=utf-8")

    return app


def _add_error_handlers(app: FastAPI, service: Service) -> None:
    def respond(request: Request, error: AnswerError) -> JSONResponse:
        if error.limit:
            service.meters.refused.add(error.limit)
        path = request.url.path
        return JSONResponse(error.body(path), error.fault.status(path), error.headers())

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, AnswerError)
        return respond(request, error)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        place = f"{request.method} {request.url.path}"
        if error.status_code == 404:
            return respond(
                request, AnswerError(Fault.UNKNOWN_URL, f"{place}: there is nothing at this address")
            )
        if error.status_code == 405:
            return respond(request, AnswerError(Fault.WRONG_METHOD, f"{place}: not with this method"))
        return respond(request, AnswerError(Fault.BAD_INPUT, f"{place}: {error.detail}"))

    async def left(request: Request, _: Exception) -> Response:
        return respond(request, AnswerError(Fault.BAD_INPUT, "the client left before its request was whole"))

    async def unforeseen(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        message = "internal error; the server's log has the reason"
        return respond(request, AnswerError(Fault.INTERNAL, message))

    app.add_exception_handler(AnswerError, known)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, unforeseen)
