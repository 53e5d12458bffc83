"""The Open Inference Protocol (v2) over HTTP: metadata, health, and ``POST /v2/models/<label>/infer``.

A model takes one of two inputs: ``images``, encoded pictures as BYTES (base64 where they stand in JSON), or
``pictures``, RGB bytes of the network's own size as UINT8 (N, 3, H, W).
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from trainer.inference.card import Card
from trainer.inference.models import Result
from trainer.serving.errors import AnswerError, Fault
from trainer.serving.outputs import described, tensors
from trainer.serving.prepare import AT_ONCE, Prepared
from trainer.serving.registry import Served
from trainer.serving.requests import TOP_K, Limits, check_count, from_base64, read_bytes, top_k
from trainer.serving.service import Portion, Service, Ticket, encoded
from trainer.serving.tensors import BYTES, Tensor, read_tensors

NAME = "corespec model-serving"
INFER = "infer"
IMAGES, PICTURES = "images", "pictures"
HEADER = "Inference-Header-Content-Length"
EXTENSION = "binary_tensor_data"
_NOT_READY = 400
"""The protocol's word for no: a 4xx."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a request asks."""

    id: str | None
    images: Sequence[bytes]
    """Encoded pictures, or none where the request brought pixels."""
    planes: npt.NDArray[np.uint8]
    """Pictures as the network takes them (N, 3, H, W)."""
    outputs: Mapping[str, bool]
    """The wanted outputs, and whether their data follow as bytes."""
    top_k: int


def router(service: Service) -> APIRouter:
    """The addresses below ``/v2``."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @routes.get("", summary="The server")
    async def server() -> Response:
        return JSONResponse({"name": NAME, "version": _release(), "extensions": [EXTENSION]})

    @routes.get("/health/live", summary="Whether the server answers")
    async def live() -> Response:
        return JSONResponse({"live": True})

    @routes.get("/health/ready", summary="Whether every model answers")
    async def ready() -> Response:
        is_ready = service.registry.ready
        return JSONResponse({"ready": is_ready}, 200 if is_ready else _NOT_READY)

    _add_models(routes, service)
    return routes


def _add_models(routes: APIRouter, service: Service) -> None:
    @routes.get("/models/{label}/ready", summary="Whether a model answers")
    @routes.get("/models/{label}/versions/{version}/ready", include_in_schema=False)
    async def ready(label: str, version: str = "") -> Response:
        name = service.registry.known(label)
        served = service.registry.current(name)
        is_ready = served is not None and version in ("", served.version)
        return JSONResponse({"name": name, "ready": is_ready}, 200 if is_ready else _NOT_READY)

    @routes.get("/models/{label}", summary="A model's inputs and outputs")
    @routes.get("/models/{label}/versions/{version}", include_in_schema=False)
    async def metadata(label: str, version: str = "") -> Response:
        served = service.registry.served(label)
        _check_version(served, version)
        return JSONResponse(_metadata(served))

    @routes.post("/models/{label}/infer", summary="Ask a model")
    @routes.post("/models/{label}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, label: str, version: str = "") -> Response:
        async with service.admitted(request, label, INFER) as ticket:
            _check_version(ticket.served, version)
            return await _infer(service, ticket, request)


def _release() -> str:
    try:
        return importlib.metadata.version("corespec")
    except importlib.metadata.PackageNotFoundError:  # an image holds the trainer's code alone
        return "unknown"


def _check_version(served: Served, version: str) -> None:
    if version not in ("", served.version):
        message = f"model {served.label} has no version {version!r}, only {served.version}"
        raise AnswerError(Fault.UNKNOWN_MODEL, message)


def _metadata(served: Served) -> dict[str, Any]:
    width, height = served.card.size
    inputs = ((IMAGES, BYTES, (-1,)), (PICTURES, "UINT8", (-1, 3, height, width)))
    return {
        "name": served.label,
        "versions": [served.version],
        "platform": "onnxruntime_onnx",
        "inputs": [_row(*row) for row in inputs],
        "outputs": [_row(*row) for row in described(served.card)],
    }


def _row(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


async def _infer(service: Service, ticket: Ticket, request: Request) -> Response:
    body = await read_bytes(request, service.limits)
    header = request.headers.get(HEADER)
    asked = await service.on_thread(understand, body, header, ticket.served.card, service.limits)
    portions = (
        encoded(ticket, asked.images, service.limits)
        if asked.images
        else _sliced(asked.planes, ticket.served.card)
    )
    results = await service.results(ticket, portions)
    return await service.on_thread(_answer, ticket.served, results, asked)


def understand(body: bytes, header: str | None, card: Card, limits: Limits) -> Inference:
    """What a body asks; ``header`` says how much of it is JSON, None: all. Raises ``AnswerError``."""
    length = len(body)
    if header is not None:
        if not (header.isascii() and header.isdigit() and int(header[:20]) <= length):
            raise AnswerError(Fault.BAD_INPUT, f"{HEADER} is no length within the body")
        length = int(header)
    try:
        document: Any = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise AnswerError(Fault.BAD_INPUT, "the body is no JSON") from error
    if not isinstance(document, dict):
        raise AnswerError(Fault.BAD_INPUT, "the body must be a JSON object")
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise AnswerError(Fault.BAD_INPUT, "id must be a text")
    tensor = _input(read_tensors(document.get("inputs"), memoryview(body)[length:]), card, limits)
    parameters = _parameters(document)
    images, planes = _pictures(tensor, text="data" in document["inputs"][0])
    outputs = _outputs(document.get("outputs"), card, binary=parameters.get("binary_data_output") is True)
    return Inference(request_id, images, planes, outputs, top_k(parameters.get(TOP_K)))


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise AnswerError(Fault.BAD_INPUT, "parameters must be an object")
    return parameters


def _input(inputs: Sequence[Tensor], card: Card, limits: Limits) -> Tensor:
    """The one input of a request, of the right type and shape."""
    width, height = card.size
    wanted = {IMAGES: (BYTES, ()), PICTURES: ("UINT8", (3, height, width))}
    if len(inputs) != 1 or inputs[0].name not in wanted:
        raise AnswerError(Fault.BAD_INPUT, f"expected one input: {IMAGES} or {PICTURES}")
    (tensor,) = inputs
    datatype, shape = wanted[tensor.name]
    if tensor.datatype != datatype or not tensor.shape or tensor.shape[1:] != shape:
        told = ", ".join(map(str, ("N", *shape)))
        raise AnswerError(Fault.BAD_INPUT, f"input {tensor.name} must be {datatype} of the shape [{told}]")
    if not tensor.shape[0]:
        raise AnswerError(Fault.BAD_INPUT, f"input {tensor.name} holds no picture")
    check_count(tensor.shape[0], limits)
    return tensor


def _outputs(entries: Any, card: Card, *, binary: bool) -> Mapping[str, bool]:
    """The wanted outputs, all where none is named; ``binary`` is for those that do not say."""
    names = [name for name, _, _ in described(card)]
    if entries is None:
        return dict.fromkeys(names, binary)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AnswerError(Fault.BAD_INPUT, "outputs must be a list of objects")
    for entry in entries:
        if entry.get("name") not in names:
            message = f"there is no output {entry.get('name')!r}, only {', '.join(names)}"
            raise AnswerError(Fault.BAD_INPUT, message)
    return {entry["name"]: _parameters(entry).get("binary_data", binary) is True for entry in entries}


def _pictures(tensor: Tensor, *, text: bool) -> tuple[Sequence[bytes], npt.NDArray[np.uint8]]:
    if isinstance(tensor.data, np.ndarray):
        return (), tensor.data.reshape(tensor.shape)
    images = tensor.data
    if text:
        images = [from_base64(one.decode("utf-8", "replace"), number) for number, one in enumerate(images)]
    return images, np.empty(0, dtype=np.uint8)


def _sliced(planes: npt.NDArray[np.uint8], card: Card) -> Iterator[Portion]:
    """Pictures that are as the network takes them: boxes will be in its pixels."""
    for first in range(0, len(planes), AT_ONCE):
        some = [plane.transpose(1, 2, 0) for plane in planes[first : first + AT_ONCE]]
        yield partial(Prepared, some, [card.size] * len(some))


def _answer(served: Served, results: Sequence[Result], asked: Inference) -> Response:
    wanted = [one for one in tensors(served.card, results, asked.top_k) if one.name in asked.outputs]
    told, tail = [], []
    for tensor in sorted(wanted, key=lambda one: list(asked.outputs).index(one.name)):
        if asked.outputs[tensor.name]:
            tail.append(tensor.as_bytes())
            told.append(tensor.as_head(len(tail[-1])))
        else:
            told.append(tensor.as_json())
    document = {"model_name": served.label, "model_version": served.version, "outputs": told}
    if asked.id is not None:
        document["id"] = asked.id
    content = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    if not tail:
        return Response(content, media_type="application/json")
    headers = {HEADER: str(len(content))}
    return Response(content + b"".join(tail), headers=headers, media_type="application/octet-stream")
