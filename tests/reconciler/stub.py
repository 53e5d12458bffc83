"""The AI Core in memory behind real HTTP, one request of which goes wrong in a way of one's choice."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ai_core_sdk.ai_core_v2_client import AICoreV2Client

from reconciler.errors import InputRejectedError, NotFoundError
from reconciler.transport import RestClient, Transport
from tests.reconciler.fake import FakeAICore

#: Seconds for which a client waits, and a little more than it waits.
PATIENCE, TOO_LONG = 0.25, 0.4


@dataclass(frozen=True)
class Wrong:
    """What a client gets instead of the answer. `acted`: the server has done its work all the same."""

    acted: bool = False
    status: int = 0  #: 0: no answer, the connection is reset
    body: bytes = b'{"error": {"code": "x", "message": "broken on purpose"}}'
    hold: float = 0.0  #: seconds of silence first
    torn: bool = False  #: half of the true answer, then silence
    refused: bool = False  #: nobody listens


WRONGS: Mapping[str, Wrong] = {
    "connection refused": Wrong(refused=True),
    "reset before": Wrong(),
    "reset after": Wrong(acted=True),
    "time-out": Wrong(acted=True, hold=TOO_LONG),
    "429 Retry-After": Wrong(status=429),
    "500": Wrong(acted=True, status=500),
    "503": Wrong(status=503),
    "401 once": Wrong(status=401),
    "garbage body": Wrong(acted=True, status=200, body=b"<html>Welcome to the proxy</html>"),
    "slow body": Wrong(acted=True, torn=True),
}


class Stub:
    """Serves `server`. The first request that is `label` (`METHOD path`, empty: any) goes `wrong`; with
    `stays` all that follow it as well, whatever they are.
    """

    def __init__(self) -> None:
        self.server = FakeAICore()
        self.wrong: Wrong | None = None
        self.label, self.stays, self.hit = "", False, False
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def wrong_for(self, label: str) -> Wrong | None:
        """What becomes of the request that is here now."""
        with self._lock:
            here = self.label in {label, ""} and not self.hit
            self.hit = self.hit or (self.wrong is not None and here)
            return self.wrong if here or (self.hit and self.stays) else None

    def answer(self, method: str, path: str, params: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Status and JSON; one request at a time, as a database would have it."""
        with self._lock:
            try:
                if method == "GET":
                    return 200, self.server.get(path, params)
                if method == "DELETE":
                    return 202, self.server.delete(path)
                send = self.server.post if method == "POST" else self.server.patch
                return 202, send(path, json.loads(body or b"{}"))
            except NotFoundError as error:
                return 404, _envelope(error.message)
            except InputRejectedError as error:
                return 409, _envelope(error.message)


@dataclass
class Wire:
    """A pipe to the stub; a call that shall be refused goes to a port where nobody listens."""

    stub: Stub

    def __post_init__(self) -> None:
        self.alive = Transport(_client(self.stub.url, self.stub.url))
        self._dead = Transport(_client(f"http://127.0.0.1:{_closed_port()}", self.stub.url))

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        return self._way(f"GET {path}").get(path, params, headers)

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return self._way(f"POST {path}").post(path, body, headers)

    def patch(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return self._way(f"PATCH {path}").patch(path, body, headers)

    def delete(self, path: str) -> Mapping[str, Any]:
        return self._way(f"DELETE {path}").delete(path)

    def _way(self, label: str) -> Transport:
        wrong = self.stub.wrong
        if wrong is not None and wrong.refused and self.stub.wrong_for(label):
            return self._dead
        return self.alive


def _client(api: str, login: str) -> RestClient:
    client = AICoreV2Client(
        base_url=f"{api}/v2",
        auth_url=f"{login}/oauth/token",
        client_id="i",
        client_secret="s",
        connect_timeout=PATIENCE,
        read_timeout=PATIENCE,
    )
    found: RestClient = client.rest_client
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        """Close at once: an orderly end first would make a close of what shall be a reset."""
        self.close_request(request)


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _envelope(message: str) -> dict[str, Any]:
    return {"error": {"code": "01", "message": message, "requestId": "r"}}


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            place = urlsplit(self.path)
            if "oauth" in place.path:
                self._send(200, b'{"access_token": "t", "token_type": "bearer", "expires_in": 43200}')
                return
            path, params = place.path.removeprefix("/v2"), dict(parse_qsl(place.query))
            wrong = stub.wrong_for(f"{self.command} {path}")
            if wrong is None or wrong.refused:
                status, answer = stub.answer(self.command, path, params, body)
                self._send(status, json.dumps(answer).encode())
                return
            content = b'{"resources": ['
            if wrong.acted:
                content = json.dumps(stub.answer(self.command, path, params, body)[1]).encode()
            threading.Event().wait(wrong.hold)
            if wrong.torn:
                self._tear(content)
            elif wrong.status:
                self._send(wrong.status, wrong.body)
            else:
                self._reset()

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def _tear(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            threading.Event().wait(TOO_LONG)
            self._reset()

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    return Handler
