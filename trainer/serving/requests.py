"""The bodies of requests, within limits; under ``/v1`` base64 text, a list of it, or multipart files."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from trainer.serving.errors import AnswerError, Fault

FIELD = "images"
TOP_K = "topK"
USUAL_TOP_K, LARGEST_TOP_K = 5, 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring."""

    request_bytes: int
    pictures: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body as it came: JSON text, or the files and the ``topK`` of a form."""

    text: bytes | None
    files: tuple[bytes, ...] = ()
    top_k: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks: encoded pictures, and for ``topk`` how many neighbours of each."""

    pictures: tuple[bytes, ...]
    top_k: int


async def read_body(request: Request, limits: Limits) -> Body:
    """Read the body; nothing beyond ``limits.request_bytes`` is ever held. Raises ``AnswerError``."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        return await _form(request, limits)
    return Body(await read_bytes(request, limits))


async def read_bytes(request: Request, limits: Limits) -> bytes:
    """The body as it came; nothing beyond ``limits.request_bytes`` is ever held. Raises ``AnswerError``."""
    return b"".join([chunk async for chunk in _limited(request, limits)])


def announced_bytes(request: Request, limits: Limits) -> int:
    """How long the body is, or may become where its length is not told.

    Raises ``AnswerError`` where it is too long, before any of it is read.
    """
    declared = request.headers.get("content-length", "")
    if not (declared.isascii() and declared.isdigit()):
        return limits.request_bytes
    if int(declared) > limits.request_bytes:
        raise _too_large(limits)
    return int(declared)


async def _limited(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limits.request_bytes:
            raise _too_large(limits)
        yield chunk


async def _form(request: Request, limits: Limits) -> Body:
    parser = MultiPartParser(
        request.headers,
        _limited(request, limits),  # type: ignore[arg-type]  # an async generator, though no more than iterated
        max_files=limits.pictures,
        max_fields=limits.pictures,
        max_part_size=limits.request_bytes,
    )
    parser.spool_max_size = limits.request_bytes + 1  # the container may have no place to write
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        reason = getattr(error, "message", "") or "no boundary, or names that are no text"
        raise AnswerError(Fault.BAD_INPUT, f"the form cannot be read: {reason}") from error
    files: list[bytes] = []
    wanted = None
    for name, value in form.multi_items():
        if name == TOP_K and isinstance(value, str):
            wanted = value
        else:
            content = await value.read() if isinstance(value, UploadFile) else from_base64(value, len(files))
            files.append(content)
    await form.close()
    if not files:
        raise AnswerError(Fault.BAD_INPUT, "the form holds no file")
    return Body(None, tuple(files), wanted)


def understand(body: Body, limits: Limits) -> Asked:
    """What a body asks. Raises ``AnswerError`` for anything but the forms of the protocol."""
    asked = Asked(body.files, top_k(body.top_k)) if body.text is None else _from_json(body.text)
    check_count(len(asked.pictures), limits)
    return asked


def check_count(pictures: int, limits: Limits) -> None:
    """Raises ``AnswerError`` where a request holds too many pictures."""
    if pictures > limits.pictures:
        message = f"{pictures} pictures in one request, at most {limits.pictures}: send fewer"
        raise AnswerError(Fault.TOO_LARGE, message, limit="pictures")


def _from_json(text: bytes) -> Asked:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError(Fault.BAD_INPUT, "the body is neither JSON nor a multipart form") from error
    images = document.get(FIELD) if isinstance(document, dict) else None
    if isinstance(images, str):
        images = [images]
    if not isinstance(images, list) or not images or not all(isinstance(item, str) for item in images):
        message = f'expected {{"{FIELD}": "<base64>"}} or {{"{FIELD}": ["<base64>", …]}}'
        raise AnswerError(Fault.BAD_INPUT, message)
    pictures = tuple(from_base64(item, number) for number, item in enumerate(images))
    return Asked(pictures, top_k(document.get(TOP_K)))


def top_k(value: Any) -> int:
    """How many neighbours: a whole number, also as text, because forms carry nothing else.

    Raises ``AnswerError``.
    """
    if value is None:
        return USUAL_TOP_K
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) is not int or not 1 <= value <= LARGEST_TOP_K:
        raise AnswerError(Fault.BAD_INPUT, f"{TOP_K} must be a whole number from 1 to {LARGEST_TOP_K}")
    return value


def from_base64(text: str, number: int) -> bytes:
    """Decode base64, wrapped lines and a ``data:`` prefix included. Raises ``AnswerError``."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        detail = {"image": number, "message": str(error)}
        raise AnswerError(Fault.BAD_INPUT, f"image {number} is no base64", [detail]) from error


def _too_large(limits: Limits) -> AnswerError:
    message = f"the request has more than {limits.request_bytes:,} bytes: send less"
    return AnswerError(Fault.TOO_LARGE, message, limit="size")
