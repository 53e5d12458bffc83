"""The HTTP interface: ``GET /v1/status``, ``POST /v1/models/<label>:predict`` and what belongs to them."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainer.inference.card import Card
from trainer.serving.errors import AnswerError, Code
from trainer.serving.predict import overdue, predict
from trainer.serving.registry import Registry
from trainer.serving.requests import Limits, read_body

logger = logging.getLogger(__name__)

PREDICT, NEIGHBOURS = "predict", "topk"
SIMILARITY = "similarity"
"""The CV package's heat maps, which this server has none of."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the handlers share."""

    registry: Registry
    limits: Limits
    timeout: float
    pool: Executor
    slots: asyncio.Semaphore
    """How many requests are read and computed at once; the others wait before their bodies are read."""

    async def answer(self, request: Request, label: str, verb: str) -> Response:
        """The answer to ``POST /v1/models/<label>:<verb>``. Raises ``AnswerError``."""
        model = self.registry.model(label)
        _check_verb(model.card, verb)
        deadline = time.monotonic() + self.timeout
        try:
            async with asyncio.timeout(self.timeout), self.slots:
                body = await read_body(request, self.limits)
                loop = asyncio.get_running_loop()
                neighbours = verb == NEIGHBOURS
                work = partial(predict, model, body, self.limits, deadline, neighbours=neighbours)
                content = await loop.run_in_executor(self.pool, work)
        except TimeoutError as error:
            raise overdue() from error
        return Response(content, media_type="application/json")

    def status(self) -> JSONResponse:
        """200 once every model answers, 503 before."""
        if not self.registry.ready:
            raise AnswerError(Code.LOADING, "models are being loaded", self.registry.descriptions())
        return JSONResponse({"status": "ready", "models": self.registry.descriptions()})


def _check_verb(card: Card, verb: str) -> None:
    if verb == SIMILARITY:
        raise AnswerError(Code.MODEL_FAILED, f"{verb} is not offered: no heat maps are computed here")
    if verb == NEIGHBOURS and card.task != "image-embedding":
        message = f"{verb} searches pictures by embeddings, and this is a model for {card.task}"
        raise AnswerError(Code.MODEL_FAILED, message)
    if verb not in (PREDICT, NEIGHBOURS):
        raise AnswerError(Code.UNKNOWN_URL, f"a model does not know {verb!r}, only {PREDICT}")


def create_app(service: Service) -> FastAPI:
    """The application; every answer that is no result is ``{"error": {"code", "message", "details"}}``."""
    app = FastAPI(title="model-serving", docs_url=None, redoc_url=None, openapi_url=None)
    _add_error_handlers(app)
    app.add_middleware(AccessLog)

    @app.get("/v1/status")
    async def status() -> Response:
        return service.status()

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"models": service.registry.descriptions()})

    @app.post("/v1/models/{label}:{verb}")
    async def ask(request: Request, label: str, verb: str) -> Response:
        return await service.answer(request, label, verb)

    @app.get("/v1/models/{label}")
    async def model(label: str) -> Response:
        if ":" in label:
            raise AnswerError(Code.WRONG_METHOD, f"{label} is asked with POST")
        return JSONResponse(service.registry.description(label))

    return app


def _add_error_handlers(app: FastAPI) -> None:
    def respond(error: AnswerError) -> JSONResponse:
        return JSONResponse(error.as_dict(), error.status)

    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, AnswerError)
        return respond(error)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        place = f"{request.method} {request.url.path}"
        if error.status_code == 404:
            return respond(AnswerError(Code.UNKNOWN_URL, f"{place}: there is nothing at this address"))
        if error.status_code == 405:
            return respond(AnswerError(Code.WRONG_METHOD, f"{place}: not with this method"))
        return respond(AnswerError(Code.BAD_INPUT, f"{place}: {error.detail}"))

    async def unforeseen(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return respond(AnswerError(Code.INTERNAL, "internal error; the server's log has the reason"))

    app.add_exception_handler(AnswerError, known)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(Exception, unforeseen)


class AccessLog:
    """One line a request: method, path, status, milliseconds. No header and no body is ever logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            took = (time.monotonic() - began) * 1000
            logger.info("%s %r %d %.1f ms", scope["method"], scope["path"], status, took)
