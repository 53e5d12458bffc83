"""The daemon's small HTTP server: /healthz, /readyz, /metrics and POST /webhook.

The standard library's server, one thread for each call, few at a time and none for long: whoever connects
and says nothing cannot keep the probes waiting.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from reconciler.observability import CONTENT_TYPE
from reconciler.webhook import LARGEST, Verdict

#: Calls that are answered at one time; more are hung up on.
_AT_ONCE = 16
_SECONDS = 10.0
_POLL_SECONDS = 0.1  # between two looks whether to end
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server asks; called from its threads, and quick. A probe is (well, one line)."""

    health: Callable[[], tuple[bool, str]]
    ready: Callable[[], tuple[bool, str]]
    metrics: Callable[[], str]
    #: headers and body of a POST to /webhook; None: there is no webhook
    webhook: Callable[[Mapping[str, str], bytes], Verdict | None]


class Endpoint:
    """Context manager: serves while it is open."""

    def __init__(self, host: str, port: int, answers: Answers) -> None:
        """Port 0 takes a free one. Raises OSError when the address cannot be had."""
        handler = type("Handler", (_Handler,), {"answers": answers})
        self._server = _Server((host, port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="corespec-http", daemon=True
        )

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a caller that dawdles does not keep the daemon from ending
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is nobody's concern; the base class would print a traceback."""


class _Handler(BaseHTTPRequestHandler):
    answers: ClassVar[Answers]
    timeout = _SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "corespec", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, self.answers.metrics(), CONTENT_TYPE)
        elif path in {"/healthz", "/readyz"}:
            well, said = self.answers.health() if path == "/healthz" else self.answers.ready()
            self._answer(200 if well else 503, said + "\n")
        else:
            self._answer(404, "not found\n")

    do_HEAD = do_GET  # noqa: N815 - the base class calls it so

    def do_POST(self) -> None:
        if self.path.partition("?")[0] != "/webhook":
            self._answer(404, "not found\n")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._answer(411, "length required\n")
        elif len(length) > 12 or int(length) > LARGEST:
            self._answer(413, "too large\n")
        else:
            body = self.rfile.read(int(length))
            verdict = self.answers.webhook(dict(self.headers.items()), body)
            status = 404 if verdict is None else verdict.status
            self._answer(status, {202: "accepted\n", 401: "unauthorized\n"}.get(status, "no\n"))

    def _answer(self, status: int, text: str, content_type: str = _TEXT) -> None:
        body = text.encode()
        self.close_connection = True  # a body that was not read must not be taken for the next request
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Nothing: what deserves a line is written by the daemon."""
