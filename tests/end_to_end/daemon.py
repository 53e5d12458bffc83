"""`corespec reconcile` as the process that it is, in a clone of its own, with what it says and serves."""

from __future__ import annotations

import http.client
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.end_to_end.world import CATALOG, World, git

PATIENCE = 60.0


class Running:
    """Context manager: the daemon of `world`, in a clone that nobody edits."""

    def __init__(self, world: World, *options: str, environ: Mapping[str, str] | None = None) -> None:
        self.clone = world.root / "daemon"
        if not self.clone.exists():
            git("clone", "--quiet", world.origin, self.clone)
            shutil.copytree(world.words, self.clone / "data" / "words")
        self._command = [sys.executable, "-m", "corespec", "reconcile", "-C", str(self.clone)]
        self._command += [
            "--catalog",
            str(CATALOG),
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            *options,
        ]
        self._environ = {**os.environ, **(environ or {})}
        self.lines: list[dict[str, Any]] = []
        self._unread: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._complaints)]
        for reader in self._readers:
            reader.start()
        self.address = urlsplit(self.expect("started")["url"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)

    def _read(self) -> None:
        with self.process.stdout as stream:  # type: ignore[union-attr]
            for line in stream:
                self._unread.put(json.loads(line))
        self._unread.put(None)

    def _complaints(self) -> None:
        with self.process.stderr as stream:  # type: ignore[union-attr]
            self.complaints = stream.read()

    def expect(self, event: str, address: str = "") -> dict[str, Any]:
        """The next line of that kind (and address)."""
        while True:
            try:
                line = self._unread.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no {event} {address} in {self.lines[-8:]}") from None
            assert line is not None, f"it ended before {event}: {self.lines[-5:]}"
            self.lines.append(line)
            if line["event"] == event and line["address"].startswith(address):
                return line

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """One request to its endpoint; `X_Signature` becomes `X-Signature`."""
        connection = http.client.HTTPConnection(str(self.address.hostname), self.address.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET" if body is None else "POST", path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def figure(self, sample: str) -> float:
        """A sample of /metrics: `corespec_objects{health="Healthy"}`."""
        found = [line for line in self.ask("/metrics")[1].splitlines() if line.startswith(sample + " ")]
        return float(found[0].rpartition(" ")[2])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        while (line := self._unread.get(timeout=PATIENCE)) is not None:
            self.lines.append(line)
        return code


class Receiver:
    """Context manager: somebody who receives messages on this machine."""

    def __init__(self) -> None:
        received: queue.Queue[tuple[Mapping[str, str], bytes]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.put((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook/T0KEN"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next(self) -> tuple[Mapping[str, str], bytes]:
        return self._received.get(timeout=PATIENCE)

    @property
    def empty(self) -> bool:
        return self._received.empty()


def operated(world: World, text: str) -> None:
    """Add to the environment and push it."""
    world.environment.write_text(world.environment.read_text() + text)
    push(world, "Operate")


def push(world: World, message: str) -> None:
    """Commit the specs and push them on top of what the daemon has pushed meanwhile."""
    git("add", "--all", "specs", cwd=world.project)
    git("commit", "--quiet", "--message", message, cwd=world.project)
    git("pull", "--quiet", "--rebase", "origin", "main", cwd=world.project)
    git("push", "--quiet", "origin", "main", cwd=world.project)


def children(pid: int) -> list[int]:
    """Processes that a process has started and that are alive."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def ended(pid: int) -> bool:
    """Whether a process that is not ours to wait for ends within our patience."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE)[0])
    finally:
        os.close(handle)
