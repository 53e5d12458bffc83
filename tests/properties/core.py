"""The local AI Core in this process: its own API, database, rules of states and Git sync, on loopback.

Only two things are not as in `python -m localcore`: time is the test's, and nothing is executed. The engines
are there and answer the API, and a test says when an execution starts and how it ends. So nothing waits, and
a week takes minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from localcore import auth
from localcore import clock as server_clock
from localcore.api.app import create_app
from localcore.api.context import Services
from localcore.api.requests import RequestLog
from localcore.engines.process import ProcessEngine
from localcore.engines.registration import registered
from localcore.engines.serving import DeploymentEngine
from localcore.gitsync import GitSync
from localcore.home import Home
from localcore.server import HOST, listen
from localcore.store.executions import ACTIVE
from localcore.store.query import Page, Where
from localcore.store.store import Store
from reconciler.clock import Clock

_EVERYTHING = Page(100_000, 0)


@dataclass(frozen=True)
class Request:
    """One request that the server has answered."""

    writer: str  #: the AI-Client-Type, by which tests tell clients apart
    method: str
    path: str
    status: int

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class PromptSync(GitSync):
    """The sync of localcore, done before `refresh` returns."""

    def refresh(self) -> None:
        for application in self._store.admin.applications():
            self.sync(application)


class Core:
    """A server on a data folder. Use `running()`."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self.clock = clock
        self.home = Home(data)
        self.home.prepare()
        self._listener = listen(0)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        credentials = auth.load_credentials(self.home)
        auth.save_service_key(self.home, credentials, self.url)
        self.store = Store(self.home.database)
        engine = ProcessEngine(self.store, self.home, self.url, max_running=1, grace=0.1)
        servers = DeploymentEngine(self.store, self.home, self.url, grace=0.1)
        sync = PromptSync(self.store, self.home.git, 3600, lambda: None)
        services = Services(self.home, self.store, engine, servers, sync, credentials, self.url)
        self.requests: list[Request] = []
        #: asked before the server acts on a request; one that is not admitted is never answered
        self.admit: Callable[[str, str], bool] = lambda writer, line: True
        #: told when the server has acted, before its client hears of it
        self.answering: Callable[[str, str], object] = lambda writer, line: None
        self.planted = 0  #: writes that somebody else has sent at the beginning
        self._app = create_app(services, RequestLog(self.home.requests))
        config = uvicorn.Config(
            self._observed, interface="asgi3", log_config=None, access_log=False, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self.store.close()

    async def _observed(self, scope: Any, receive: Any, send: Any) -> None:
        """Every request but those for tokens, in the order of their answers."""
        status = 500

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not scope["path"].startswith("/oauth"):
                    path = scope["path"].removeprefix("/v2")
                    self.requests.append(Request(writer, scope["method"], path, status))
                    self.answering(writer, f"{scope['method']} {scope['path']}")
            await send(message)

        writer = dict(scope.get("headers", ())).get(b"ai-client-type", b"").decode("latin-1")
        if scope["type"] == "http" and not self.admit(writer, f"{scope['method']} {scope['path']}"):
            return
        await self._app(scope, receive, sending)

    # What it holds.

    @property
    def writes(self) -> list[str]:
        return [request.line for request in self.requests if request.method != "GET"]

    @property
    def executions(self) -> list[dict[str, Any]]:
        """Oldest first, as all of these."""
        return self.store.executions.page(Where(), _EVERYTHING, reduced=False)[::-1]

    @property
    def deployments(self) -> list[dict[str, Any]]:
        return self.store.deployments.page(Where(), _EVERYTHING, reduced=False)[::-1]

    @property
    def configurations(self) -> list[dict[str, Any]]:
        return self.store.configurations.page(Where(), _EVERYTHING)[::-1]

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        return self.store.artifacts.page(Where(), _EVERYTHING)[::-1]

    @property
    def applications(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: dict(row) for row in self.store.admin.applications()}

    @property
    def repositories(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: dict(row) for row in self.store.admin.repositories(_EVERYTHING)}

    # What goes on in it.

    def post(self, path: str, body: dict[str, Any]) -> str:
        """Somebody else creates an object; returns its id."""
        token = auth.load_credentials(self.home).issue()
        answer = requests.post(
            self.url + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        answer.raise_for_status()
        return str(answer.json().get("id", ""))

    def run(self, execution: str) -> None:
        """One execution that waits begins to run."""
        waiting = ("UNKNOWN", "PENDING")
        self.store.executions.set_status(execution, "RUNNING", expected=waiting, started=server_clock.now())

    def end(self, execution: str, status: str = "COMPLETED", outputs: tuple[str, ...] = ("model",)) -> None:
        """One execution that is under way ends; a completed one registers its outputs."""
        row = self.store.executions.row(execution)
        assert row is not None
        urls = {name: f"ai://default/{execution}/{name}" for name in outputs}
        made = registered(self.store, row, urls if status == "COMPLETED" else {})
        self.store.executions.set_status(
            execution, status, expected=ACTIVE, outputs=made, started=server_clock.now()
        )

    def settle(self) -> None:
        """What is to stop has stopped."""
        for row in self.store.executions.active():
            if row["status"] == "STOPPING":
                self.store.executions.set_status(row["id"], "STOPPED", expected=("STOPPING",))

    def serve(self, name: str, status: str = "RUNNING") -> None:
        """Every model server of that name comes to this status; one that is to stop has stopped."""
        for row in self.store.deployments.active():
            if not row["configuration_name"].startswith(f"{name}--"):
                continue
            to = "STOPPED" if row["status"] == "STOPPING" else status
            self.store.deployments.set_status(row["id"], to, expected=(row["status"],))

    def track(self, execution: str, name: str, value: float, split: str = "test") -> None:
        """An execution has measured something."""
        labels = [{"name": "data_split", "value": split}]
        metric = {
            "name": name,
            "value": value,
            "step": 1,
            "labels": labels,
            "timestamp": server_clock.now_precise(),
        }
        self.store.metrics.append("default", execution, {"metrics": [metric]})


@contextmanager
def running(data: Path, clock: Clock) -> Iterator[Core]:
    """A server that lives on `clock`."""
    with pytest.MonkeyPatch.context() as patch:
        _live_on(clock, patch)
        core = Core(data, clock)
        core.start()
        try:
            yield core
        finally:
            core.stop()


def _live_on(clock: Clock, patch: pytest.MonkeyPatch) -> None:
    def now() -> str:
        return clock.now().strftime(server_clock.SECONDS)

    def later(span: timedelta) -> str:
        return (clock.now() + span).strftime(server_clock.SECONDS)

    def now_precise() -> str:
        return clock.now().astimezone(UTC).strftime(server_clock.MICROSECONDS)

    for function in (now, later, now_precise):
        patch.setattr(server_clock, function.__name__, function)
