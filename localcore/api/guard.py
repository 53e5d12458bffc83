"""The outermost layer: local names only, bounded bodies, and the record of requests."""

from __future__ import annotations

import contextlib
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcore import ids
from localcore.api.requests import RequestLog

MAX_BODY = 8 * 1024 * 1024
# Pictures for a model server: what it takes is its own business, up to here.
MAX_INFERENCE = 128 * 1024 * 1024
_INFERENCE = "/v2/inference/"
_LOCAL = frozenset({"127.0.0.1", "localhost"})


class BodyTooLargeError(Exception):
    """A body passed MAX_BODY while it was being read."""


class Guard:
    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app, self._log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in (b"host", b"content-length")}
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            # A web page of another site may make a browser call 127.0.0.1, but not under this name.
            if headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0] not in _LOCAL:
                await _refuse(
                    scope, sending, 403, "403", "this server answers to 127.0.0.1 and localhost only"
                )
            elif int(headers.get(b"content-length", b"0") or 0) > _limit(scope):
                await _too_large(scope, sending)
            else:
                await self._bounded(scope, receive, sending)
        finally:
            self._log.record(scope["method"], scope["path"], status)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body while it is read; whatever is said about one that is too long, we say 413."""
        size, limit = 0, _limit(scope)

        async def receiving() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLargeError
            return message

        async def answering(message: Message) -> None:
            if size <= limit:
                await send(message)

        with contextlib.suppress(BodyTooLargeError):
            await self._app(scope, receiving, answering)
        if size > limit:
            await _too_large(scope, send)


def _limit(scope: Scope) -> int:
    return MAX_INFERENCE if scope["path"].startswith(_INFERENCE) else MAX_BODY


async def _too_large(scope: Scope, send: Send) -> None:
    message = f"PayloadLimitException: a body may have at most {_limit(scope)} bytes"
    await _refuse(scope, send, 413, "02000005", message)


async def _refuse(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    error = {"code": code, "message": message, "requestId": ids.request_id(), "target": scope["path"]}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
