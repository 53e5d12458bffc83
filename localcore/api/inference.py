"""`/v2/inference/deployments/<id>/…`: passed on to the process that serves it, and its answer back."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from localcore.api.context import Group, RbacDeniedError, Services, Svc
from localcore.engines.serving import NOT_FOUND
from localcore.errors import ApiError, not_found

router = APIRouter(prefix="/inference/deployments")
PREFIX = "/v2/inference/deployments/"
#: Longest wait for the next bytes of an answer, seconds.
_PATIENCE = 600.0
_CHUNK = 65_536
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Of one connection and not of the message (RFC 9110, 7.6.1); the token and the group are for us alone.
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "proxy-connection"),
    }
)
_OURS = _HOP_BY_HOP | {"authorization", "ai-resource-group", "host", "content-length", "expect"}
_ITS_OWN = _HOP_BY_HOP | {"date", "server"}


class Passed(StreamingResponse):
    """A server's answer, piece by piece, so that a stream of events stays one."""

    def __init__(self, answer: http.client.HTTPResponse, done: Callable[[], None]) -> None:
        super().__init__(_pieces(answer), answer.status)
        self._done = done
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _ITS_OWN]
        self.raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in kept]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether it was heard to its end or not, it is over then."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._done()


def _enter(svc: Services, group: str, deployment_id: str) -> int:
    """Raises ApiError 404 for a deployment that is not there, 503 for one that does not answer now."""
    row = svc.store.deployments.find(group, deployment_id)
    if row is None:
        raise not_found("Deployment", deployment_id, NOT_FOUND)
    port = svc.deployments.traffic.enter(deployment_id)
    if port is None:
        raise ApiError(503, f"Deployment '{deployment_id}' is {row['status']}: no server answers for it now")
    return port


def _target(request: Request, deployment_id: str) -> str:
    """Path and query as the client wrote them, without what leads to the deployment."""
    raw = request.scope.get("raw_path") or request.url.path.encode()
    path = raw.decode("latin-1").partition("?")[0].removeprefix(f"{PREFIX}{deployment_id}") or "/"
    return f"{path}?{request.url.query}" if request.url.query else path


def _ask(port: int, request: Request, target: str, body: bytes) -> http.client.HTTPResponse:
    """Send the request; the answer's head. Raises ApiError 502 or 504."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _OURS]
    try:
        connection.putrequest(request.method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Connection", "close")  # so that the answer's end is the connection's
        if body or request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return connection.getresponse()
    except TimeoutError:
        connection.close()
        raise ApiError(504, f"the server did not answer within {_PATIENCE:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise ApiError(502, f"the server ended the connection: {type(error).__name__}") from error


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """As they come."""
    with answer:
        while piece := answer.read1(_CHUNK):
            yield piece


@router.api_route("/{deployment_id}", methods=_METHODS)
@router.api_route("/{deployment_id}/{_path:path}", methods=_METHODS)
async def forward(request: Request, svc: Svc, group: Group, deployment_id: str) -> Passed:
    """The deployment's own answer, whatever its status. The resource group has to be named here."""
    if "AI-Resource-Group" not in request.headers:
        raise RbacDeniedError
    body = await request.body()
    port = await run_in_threadpool(_enter, svc, group, deployment_id)

    def leave() -> None:
        svc.deployments.traffic.leave(deployment_id, port)

    answer = None
    try:
        answer = await run_in_threadpool(_ask, port, request, _target(request, deployment_id), body)
    finally:
        if answer is None:
            leave()
    return Passed(answer, leave)
