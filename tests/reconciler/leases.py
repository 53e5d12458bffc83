"""An API server that knows Leases only, on loopback, with the rules of the real one that a lock rests on."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_lease import LeaseSlot, connect
from tests.reconciler.fake import FakeClock
from tests.reconciler.slots import PLACE

TOKEN = "c4nary-token"
NAMESPACE = "meters"
_PATH = re.compile(rf"/apis/coordination\.k8s\.io/v1/namespaces/{NAMESPACE}/leases(?:/([a-z0-9-]+))?")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")

Answer = tuple[int, dict[str, Any]]


@dataclass
class ApiServer:
    """Leases by name; time is the clock's. `fail`: answered instead, as often as there are entries."""

    clock: FakeClock = field(default_factory=FakeClock)
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    fail: list[Answer] = field(default_factory=list)
    lose_answers: int = 0  #: so many writes act, and the connection ends
    dated: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    version: int = 100
    guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> Answer:
        """What the API server says."""
        self.requests.append((method, path))
        if token != f"Bearer {TOKEN}":
            return refusal(401, "Unauthorized")
        if self.fail:
            return self.fail.pop(0)
        found = _PATH.fullmatch(path)
        if not found:
            return refusal(404, "NotFound")
        with self.guard:
            if method == "GET":
                lease = self.leases.get(found[1])
                return (200, lease) if lease else refusal(404, "NotFound")
            return self._create(body) if method == "POST" else self._replace(found[1], body)

    def _create(self, body: dict[str, Any]) -> Answer:
        name = body["metadata"]["name"]
        if body["metadata"].get("resourceVersion"):
            return refusal(400, "BadRequest")
        if name in self.leases:
            return refusal(409, "AlreadyExists")
        return self._store(name, body, 201)

    def _replace(self, name: str, body: dict[str, Any]) -> Answer:
        if name not in self.leases:
            return refusal(404, "NotFound")
        given = body["metadata"].get("resourceVersion", "")
        if int(given or 0) == 0:  # never without a condition: Leases do not allow it
            return refusal(422, "Invalid", "metadata.resourceVersion")
        if int(given) != int(self.leases[name]["metadata"]["resourceVersion"]):
            return refusal(409, "Conflict")
        return self._store(name, body, 200)

    def _store(self, name: str, body: dict[str, Any], code: int) -> Answer:
        spec = body.get("spec", {})
        if any(not _MICRO_TIME.fullmatch(spec[key]) for key in ("acquireTime", "renewTime") if spec.get(key)):
            return refusal(400, "BadRequest")
        if spec.get("holderIdentity") == "" or spec.get("leaseDurationSeconds", 1) <= 0:
            return refusal(422, "Invalid", "spec")
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version), "uid": "u-1"}
        self.leases[name] = {**body, "metadata": metadata}
        return code, self.leases[name]

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig whose current context is this server."""
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "here",
                    "clusters": [{"name": "here", "cluster": {"server": self.url}}],
                    "users": [{"name": "kim", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "kim"}}],
                }
            )
        )
        return path

    def slot(self, folder: Path, clock: FakeClock | None = None) -> LeaseSlot:
        """The Lease `corespec`, by the real client."""
        api = connect({"KUBECONFIG": str(self.kubeconfig(folder))})
        return LeaseSlot(api, NAMESPACE, "corespec", clock or self.clock)


def refusal(code: int, reason: str, cause: str = "") -> Answer:
    """A `Status`, with words that no message of ours may repeat."""
    causes = [{"field": cause, "message": "is wrong"}] if cause else []
    told = {"kind": "Status", "code": code, "reason": reason, "message": f"not so, {TOKEN}"}
    return code, {**told, "details": {"causes": causes}}


@contextmanager
def serving(clock: FakeClock | None = None) -> Iterator[ApiServer]:
    """A server that runs until the end of the block."""
    state = ApiServer(clock or FakeClock())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            code, document = state.answer(
                self.command, self.path, self.headers.get("Authorization", ""), body
            )
            if self.command != "GET" and state.lose_answers:
                state.lose_answers -= 1
                self.close_connection = True
                return
            self._send(code, document)

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def do_PUT(self) -> None:
            self._handle()

        def _send(self, code: int, document: Mapping[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response_only(code)
            if state.dated:
                self.send_header("Date", format_datetime(state.clock.now(), usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class LeaseWorld:
    """Many locks in one Lease, each with a client of its own state; in the shape of `MemorySlot`."""

    server: ApiServer
    api: Any

    @property
    def clock(self) -> FakeClock:
        return self.server.clock

    @property
    def lose_answers(self) -> int:
        return self.server.lose_answers

    @lose_answers.setter
    def lose_answers(self, count: int) -> None:
        self.server.lose_answers = count

    def lock(
        self, operation: str = "apply", clock: FakeClock | None = None, timeout: float = 0
    ) -> ExpiringLock:
        # What the client waits between attempts is no time of the server.
        slot = LeaseSlot(self.api, NAMESPACE, "corespec", FakeClock())
        return ExpiringLock(
            slot, *PLACE, operation, commit="c" * 40, timeout=timeout, clock=clock or self.clock
        )
