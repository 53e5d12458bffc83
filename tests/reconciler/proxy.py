"""An HTTP relay in front of a real server: it counts what passes, and breaks what it is told to break."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Broken:
    """How a request goes wrong. `acted`: the server gets it all the same. `status` 0: no answer at all."""

    acted: bool
    status: int = 0
    hold: float = 0.0  #: seconds to keep the client waiting first


BREAKS = {
    "closed before the server acted": Broken(acted=False),
    "reset after the server acted": Broken(acted=True),
    "timeout before the server acted": Broken(acted=False, hold=1.0),
    "timeout after the server acted": Broken(acted=True, hold=1.0),
    "500 after the server acted": Broken(acted=True, status=500),
    "503": Broken(acted=False, status=503),
    "429": Broken(acted=False, status=429),
}


@dataclass
class Proxy:
    """Relays to `target` (http://host:port). `decide(index, "METHOD path")` may break a request.

    Token requests always pass and are not counted. `after(index)` is called when the server has acted on a
    request and before the client hears of it.
    """

    target: str
    decide: Callable[[int, str], Broken | None] = lambda index, request: None
    after: Callable[[int], None] = lambda index: None
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]

    def count(self, request: str) -> int:
        with self._lock:
            self.requests.append(request)
            return len(self.requests) - 1


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = f"{self.command} {urlsplit(self.path).path}"
            if "oauth" in request:
                self._answer(*self._forward(body))
                return
            index = proxy.count(request)
            broken = proxy.decide(index, request)
            if broken is None:
                answer = self._forward(body)
                proxy.after(index)
                self._answer(*answer)
                return
            if broken.acted:
                self._forward(body)
            threading.Event().wait(broken.hold)
            if broken.status:
                self._answer(broken.status, b'{"error": {"code": "x", "message": "broken on purpose"}}')
            else:
                self._reset()

        def _forward(self, body: bytes) -> tuple[int, bytes]:
            place = urlsplit(proxy.target)
            connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, content

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        do_GET = do_POST = do_PATCH = do_DELETE = _relay  # noqa: N815 - names of the base class

    return Handler
