"""AI Core in memory, at the level of the wire: what a pipe carries, without a network.

It keeps the service's habits that matter here: names are not unique, executions start as UNKNOWN, a POST
acts once for every time it is sent, and an application syncs only when it is asked to (or told so by the
test).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.errors import AmbiguousError, InputRejectedError, NotFoundError, TransientError

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


class KilledError(BaseException):
    """The reconciler is killed here: like SIGKILL, nothing catches it."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at one request: `acted` says whether the server does its work all the same."""

    error: Callable[[], BaseException]
    acted: bool


FAULTS: Mapping[str, Fault] = {
    "connection refused": Fault(lambda: AmbiguousError("refused"), acted=False),
    "reset after the server acted": Fault(lambda: AmbiguousError("reset"), acted=True),
    "timeout before the server acted": Fault(lambda: AmbiguousError("timeout"), acted=False),
    "500 after the server acted": Fault(lambda: AmbiguousError("500"), acted=True),
    "503": Fault(lambda: AmbiguousError("503"), acted=False),
    "429": Fault(lambda: TransientError("429", retry_after=7), acted=False),
    "killed before": Fault(lambda: KilledError(), acted=False),
    "killed after": Fault(lambda: KilledError(), acted=True),
}


@dataclass
class FakeAICore:
    """A pipe (`reconciler.aicore.Pipe`) with a memory; `fault_at` breaks the request of that index once."""

    clock: FakeClock = field(default_factory=FakeClock)
    head: str = "a" * 40  #: what an application syncs to
    sync_message: str = ""
    resources: list[dict[str, Any]] = field(default_factory=list)
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    synced: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    store_secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    docker_secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)  #: generic ones, in whatever scope
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    configurations: list[dict[str, Any]] = field(default_factory=list)
    executions: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  #: by execution id
    logs: dict[str, list[str]] = field(default_factory=dict)  #: by execution id, oldest line first
    group_status: str = "PROVISIONED"
    message: str = "created"  #: of a POST; "Secret exists": names that exist are no error
    requests: list[str] = field(default_factory=list)
    fault_at: int | None = None
    fault: Fault | None = None
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        return self._answer(f"GET {path}", lambda: self._read(path, dict(params or {})))

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return self._answer(f"POST {path}", lambda: self._write(path, dict(body)))

    def patch(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return self._answer(f"PATCH {path}", lambda: self._patch(path, dict(body)))

    def delete(self, path: str) -> Mapping[str, Any]:
        return self._answer(f"DELETE {path}", lambda: self._delete(path))

    def _answer(self, request: str, act: Callable[[], Any]) -> Any:
        index = len(self.requests)
        self.requests.append(request)
        if self.fault is not None and index == self.fault_at:
            if self.fault.acted:
                act()
            raise self.fault.error()
        return act()

    def _read(self, path: str, params: Mapping[str, str]) -> Any:
        collections: dict[str, Any] = {
            "/admin/repositories": self.repositories,
            "/admin/applications": self.applications,
            "/admin/resourceGroups": self.groups,
            "/admin/objectStoreSecrets": self.store_secrets,
            "/admin/dockerRegistrySecrets": self.docker_secrets,
            "/admin/secrets": self.secrets,
            "/lm/artifacts": self.artifacts,
            "/lm/configurations": self.configurations,
            "/lm/executions": self.executions,
            "/lm/deployments": self.deployments,
        }
        if path in collections:
            return _page(collections[path], params)
        if path == "/lm/metrics":
            return self._metrics(params["executionIds"].split(","))
        if path.endswith("/logs"):
            return self._logs(path.split("/")[-2], int(params["$top"]))
        head, _, last = path.rpartition("/")
        if path.endswith("/status"):
            return self._status(path.split("/")[-2])
        if head == "/admin/resourceGroups" and last in self.groups:
            return self.groups[last]
        if head in {"/lm/executions", "/lm/deployments"}:
            return next((e for e in collections[head] if e["id"] == last), None) or _absent(path)
        return _absent(path)

    def _status(self, name: str) -> dict[str, Any]:
        if name not in self.applications:
            return _absent(name)
        revision = self.synced.get(name)
        if revision is None:
            return {"healthStatus": "Unknown", "syncStatus": "Unknown", "source": {"revision": "Unknown"}}
        return {
            "healthStatus": "Healthy",
            "syncStatus": "Synced",
            "message": self.sync_message,
            "source": {"revision": revision},
            "syncResourcesStatus": self.resources,
        }

    def _logs(self, id_: str, top: int) -> dict[str, Any]:
        if id_ not in self.logs:
            return _absent(f"log of {id_}")
        lines = [{"timestamp": self._now(), "msg": line} for line in self.logs[id_]]
        return {"data": {"result": lines[-top:][::-1]}}

    def _write(self, path: str, body: dict[str, Any]) -> Mapping[str, Any]:
        if path.endswith("/refresh"):
            name = path.split("/")[-2]
            if name not in self.applications:
                return _absent(name)
            self.synced[name] = self.head
            return {"id": name, "message": "refresh scheduled"}
        now = f"{self.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        number = next(self._ids)
        record = {**body, "id": f"id-{number:04d}", "createdAt": now, "modifiedAt": now}
        named = {
            "/admin/repositories": (self.repositories, "name"),
            "/admin/applications": (self.applications, "applicationName"),
            "/admin/resourceGroups": (self.groups, "resourceGroupId"),
            "/admin/objectStoreSecrets": (self.store_secrets, "name"),
            "/admin/dockerRegistrySecrets": (self.docker_secrets, "name"),
            "/admin/secrets": (self.secrets, "name"),
        }
        if path in named:
            collection, key = named[path]
            if body[key] in collection and self.message == "Secret exists":
                return {"message": self.message}
            if body[key] in collection:
                raise InputRejectedError(f"{body[key]} exists")
            url = self.repositories.get(body.get("repositoryName", ""), {}).get("url", "url")
            collection[body[key]] = record | {"status": self.group_status, "repositoryUrl": url}
        elif path == "/lm/artifacts":
            self.artifacts.append(record)
        elif path == "/lm/configurations":
            self.configurations.append(record)
        elif path == "/lm/executions":
            self.executions.append(self._run(record) | {"targetStatus": "COMPLETED"})
        elif path == "/lm/deployments":
            self.deployments.append(self._run(record) | {"targetStatus": "RUNNING", "deploymentUrl": ""})
        return {"id": record["id"], "message": self.message, "status": "UNKNOWN"}

    def _run(self, record: dict[str, Any]) -> dict[str, Any]:
        configuration = next(c for c in self.configurations if c["id"] == record["configurationId"])
        return record | {
            "configurationName": configuration["name"],
            "scenarioId": configuration["scenarioId"],
            "executableId": configuration["executableId"],
            "status": "UNKNOWN",
        }

    def _metrics(self, executions: list[str]) -> dict[str, Any]:
        found = [
            {"executionId": id_, "metrics": self.metrics[id_]} for id_ in executions if id_ in self.metrics
        ]
        return {"resources": found} if found else _absent("metrics")

    def _patch(self, path: str, body: dict[str, Any]) -> Mapping[str, Any]:
        head, _, id_ = path.rpartition("/")
        collections = {
            "/admin/repositories": self.repositories,
            "/admin/applications": self.applications,
            "/admin/resourceGroups": self.groups,
            "/admin/objectStoreSecrets": self.store_secrets,
            "/admin/dockerRegistrySecrets": self.docker_secrets,
            "/admin/secrets": self.secrets,
        }
        if head in collections:
            if head == "/admin/resourceGroups" and id_ == "default":
                self.groups.setdefault(id_, {"resourceGroupId": id_, "status": self.group_status})
            if id_ not in collections[head]:
                return _absent(path)
            collections[head][id_].update(body)
            return {"id": id_, "message": "modified"}
        if not path.startswith("/lm/deployments/"):
            return self._stop(id_)
        server = next(d for d in self.deployments if d["id"] == id_)
        if body.get("targetStatus") == "STOPPED":
            server.update(status="STOPPED", targetStatus="STOPPED", modifiedAt=self._now())
            return {"id": id_, "message": "scheduled"}
        if server["status"] not in {"RUNNING", "PENDING", "DEAD"}:
            raise InputRejectedError(f"status {server['status']} cannot be changed")
        new = self._run(body)
        if new["executableId"] != server["executableId"]:
            raise InputRejectedError("another executable")
        server.update(new | {"status": "PENDING", "modifiedAt": self._now()})
        return {"id": id_, "message": "scheduled"}

    def _delete(self, path: str) -> Mapping[str, Any]:
        head, _, id_ = path.rpartition("/")
        collection = {"/lm/executions": self.executions, "/lm/deployments": self.deployments}[head]
        found = next((item for item in collection if item["id"] == id_), None)
        if found is None:
            return _absent(path)
        if found["status"] in {"PENDING", "RUNNING", "STOPPING"}:
            raise InputRejectedError(f"status {found['status']} cannot be deleted")
        collection.remove(found)
        return {"id": id_, "message": "Deletion scheduled", "targetStatus": "DELETED"}

    def serve(self, status: str = "RUNNING") -> None:
        """Let all deployments that are starting, or run, come to this status."""
        for server in self.deployments:
            if server["status"] in {"UNKNOWN", "PENDING", "RUNNING"}:
                server.update(status=status, modifiedAt=self._now())
                server["deploymentUrl"] = f"https://answers/{server['id']}"

    def track(self, execution: str, name: str, value: float, split: str = "test") -> None:
        """An execution has measured something."""
        labels = [{"name": "data_split", "value": split}]
        self.metrics.setdefault(execution, []).append(
            {"name": name, "value": value, "step": 1, "labels": labels}
        )

    def _stop(self, id_: str) -> Mapping[str, Any]:
        self.finish(id_, "STOPPED")
        return {"id": id_, "message": "scheduled"}

    def start(self) -> None:
        """Let all executions that wait begin to run."""
        for execution in self.executions:
            if execution["status"] == "UNKNOWN":
                execution.update(status="RUNNING", startTime=self._now())

    def finish(
        self,
        id_: str | None = None,
        status: str = "COMPLETED",
        message: str = "",
        *,
        only: str = "",
        outputs: Iterable[str] = (),
    ) -> None:
        """Let an execution, or all active ones, end; `only`: those of configurations whose name begins so.

        Each registers an artifact for each of the `outputs`.
        """
        now = self._now()
        for execution in self.executions:
            active = execution["status"] in {"UNKNOWN", "RUNNING"}
            if not execution["configurationName"].startswith(only):
                continue
            if execution["id"] == id_ or (id_ is None and active):
                execution.update(status=status, statusMessage=message, completionTime=now, modifiedAt=now)
                for name in outputs:
                    self._register(execution, name, now)

    def _register(self, execution: Mapping[str, Any], name: str, now: str) -> None:
        url = f"ai://default/{execution['id']}/{name}"
        artifact = {
            "id": f"artifact-{next(self._ids)}",
            "name": name,
            "kind": "model",
            "url": url,
            "scenarioId": execution["scenarioId"],
            "executionId": execution["id"],
            "createdAt": now,
            "modifiedAt": now,
            "labels": [],
        }
        self.artifacts.append(artifact)

    def _now(self) -> str:
        return f"{self.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"


def _page(collection: Any, params: Mapping[str, str]) -> dict[str, Any]:
    items = list(collection.values()) if isinstance(collection, dict) else list(collection)
    for key in ("scenarioId", "configurationId"):
        if key in params:
            items = [item for item in items if item[key] == params[key]]
    skip = int(params.get("$skip", 0))
    return {"count": len(items), "resources": items[skip : skip + int(params.get("$top", 10000))]}


def _absent(what: str) -> Any:
    raise NotFoundError(f"{what} not found")
