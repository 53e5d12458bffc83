"""The protocol of the CV package's server: ``GET /v1/status``, ``POST /v1/models/<label>:<verb>``."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from trainer.inference.card import Card
from trainer.inference.embedder import Embedding
from trainer.inference.heatmaps import PooledModel
from trainer.inference.models import Result
from trainer.serving.errors import AnswerError, Fault
from trainer.serving.prepare import prepare
from trainer.serving.requests import Asked, read_body, understand
from trainer.serving.service import Service, Ticket, encoded

PREDICT, NEIGHBOURS, SIMILARITY = "predict", "topk", "similarity"
MOST_COMPARED = 16
"""Pictures of a request for heat maps: every one is compared with every other."""

_PICTURES = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": _PICTURES | {"description": "Encoded pictures in base64, one or a list."},
                    "topK": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5},
                },
            }
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"images": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
    },
}


def router(service: Service) -> APIRouter:
    """The addresses below ``/v1``."""
    routes = APIRouter(prefix="/v1", tags=["CV package"])

    @routes.get("/status", summary="Whether every model answers")
    async def status() -> Response:
        return _status(service)

    @routes.get("/models", summary="The models: tasks, classes, sizes of input")
    async def models() -> Response:
        return JSONResponse({"models": service.registry.descriptions()})

    @routes.post(
        "/models/{label}:{verb}",
        summary="Ask a model: predict, topk or similarity",
        openapi_extra={"requestBody": _BODY},
    )
    async def ask(request: Request, label: str, verb: str) -> Response:
        return await _answer(service, request, label, verb)

    @routes.get("/models/{label}", summary="One model")
    async def model(label: str) -> Response:
        if ":" in label:
            raise AnswerError(Fault.WRONG_METHOD, f"{label} is asked with POST")
        return JSONResponse(service.registry.description(label))

    return routes


def _status(service: Service) -> Response:
    described = service.registry.descriptions()
    if not service.registry.ready:
        raise AnswerError(Fault.LOADING, "models are being loaded", described)
    return JSONResponse({"status": "ready", "models": described})


async def _answer(service: Service, request: Request, label: str, verb: str) -> Response:
    if verb not in _VERBS:
        service.registry.known(label)
        known = ", ".join(_VERBS)
        raise AnswerError(Fault.UNKNOWN_URL, f"a model does not know {verb!r}, only {known}")
    async with service.admitted(request, label, verb) as ticket:
        _check_verb(ticket.served.card, verb)
        body = await read_body(request, service.limits)
        asked = await service.on_thread(understand, body, service.limits)
        content = await _VERBS[verb](service, ticket, asked)
    return Response(content, media_type="application/json")


def _check_verb(card: Card, verb: str) -> None:
    if verb == NEIGHBOURS and card.task != "image-embedding":
        message = f"{verb} searches pictures by embeddings, and this is a model for {card.task}"
        raise AnswerError(Fault.MODEL_FAILED, message)
    if verb == SIMILARITY and card.task == "object-detection":
        message = f"{verb} compares whole pictures, and this is a model for {card.task}"
        raise AnswerError(Fault.MODEL_FAILED, message)


async def _predict(service: Service, ticket: Ticket, asked: Asked) -> bytes:
    results = await _results(service, ticket, asked)
    return await service.on_thread(_encoded, [result.as_answer() for result in results])


async def _neighbours(service: Service, ticket: Ticket, asked: Asked) -> bytes:
    results = await _results(service, ticket, asked)

    def search() -> bytes:
        return _encoded(
            [result.as_neighbours(asked.top_k) for result in results if isinstance(result, Embedding)]
        )

    return await service.on_thread(search)


async def _similarity(service: Service, ticket: Ticket, asked: Asked) -> bytes:
    """Compared on a thread of its own request: heat maps need all pictures of a request in one run."""
    model = ticket.served.model
    if not isinstance(model, PooledModel) or not model.shows_heatmaps:
        message = f"{SIMILARITY} needs feature maps, and this model was written without: train it again"
        raise AnswerError(Fault.MODEL_FAILED, message)
    if not 2 <= len(asked.pictures) <= MOST_COMPARED:
        message = (
            f"{SIMILARITY} compares 2 to {MOST_COMPARED} pictures, this request has {len(asked.pictures)}"
        )
        raise AnswerError(Fault.MODEL_FAILED, message)

    def compare() -> bytes:
        some = prepare(model, asked.pictures, 0, service.limits, ticket.deadline)
        return _encoded([found.as_answer() for found in model.heatmaps(some.pixels, some.sizes)])

    return await service.on_thread(compare)


async def _results(service: Service, ticket: Ticket, asked: Asked) -> list[Result]:
    return await service.results(ticket, encoded(ticket, asked.pictures, service.limits))


def _encoded(answers: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(answers, separators=(",", ":"), allow_nan=False).encode()


_VERBS: Mapping[str, Callable[[Service, Ticket, Asked], Awaitable[bytes]]] = {
    PREDICT: _predict,
    NEIGHBOURS: _neighbours,
    SIMILARITY: _similarity,
}
