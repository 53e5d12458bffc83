"""A small proxy in front of the server that kills its client with SIGKILL when the n-th request arrives.

The request is not passed on: the server is left as the requests before it made it, and the client has no
chance to tidy up. Walking n over all requests therefore visits every state that a crash can leave.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import wait
from pathlib import Path
from urllib.parse import urlsplit

from corespec.__main__ import main

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "host"})
#: Exit code of a client that was killed.
KILLED = -signal.SIGKILL
#: One clean process that has loaded everything once; each client is forked from it.
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["corespec.verbs.apply", "corespec.verbs.publish", "hera.workflows.models"])


#: Starting a process looks at all others, and may take an exit code from under the thread that joins one.
_STARTING = threading.Lock()


class Guillotine:
    """The proxy; `key` is a service key that leads through it."""

    def __init__(self, local: Path, folder: Path) -> None:
        original = json.loads((local / "service-key.json").read_text())
        url = urlsplit(original["serviceurls"]["AI_API_URL"])
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), _handler(self, url.hostname or "", url.port or 80)
        )
        self._server.daemon_threads = True
        address = f"127.0.0.1:{self._server.server_address[1]}"
        self.key = folder / "key.json"
        self.key.write_text(json.dumps(original).replace(url.netloc, address))
        self.passed = 0  #: requests passed on since the last `run` began
        self._gate = threading.Lock()
        self._victim: int | None = None
        self._left = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def run(self, arguments: Sequence[str], spare: int | None = None) -> int:
        """Run the command line in a process of its own and return its exit code, KILLED when it was.

        After `spare` requests it is killed; None lets it live.
        """
        start = _SPAWN.Event()
        process = _SPAWN.Process(target=_client, args=(list(arguments), dict(os.environ), start))
        with _STARTING:
            process.start()
        with self._gate:
            self._victim, self._left = (process.pid, spare) if spare is not None else (None, 0)
            self.passed = 0
        start.set()
        wait([process.sentinel])
        with _STARTING:
            process.join()
        code = process.exitcode
        assert code is not None
        return code

    def passes(self) -> bool:
        """Whether a request may pass; kills the client when it may not."""
        with self._gate:
            if self._victim is None or self._left > 0:
                self._left -= 1
                self.passed += 1
                return True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._victim, signal.SIGKILL)
            return False


def _client(arguments: list[str], environment: dict[str, str], start: threading.Event) -> None:
    start.wait()
    os.environ.clear()
    os.environ.update(environment)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    sys.exit(main(arguments))


def _handler(guillotine: Guillotine, host: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            if not guillotine.passes():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            upstream = http.client.HTTPConnection(host, port, timeout=30)
            try:
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                content = answer.read()
            finally:
                upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = forward  # noqa: N815 - http.server's names

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    return Handler
