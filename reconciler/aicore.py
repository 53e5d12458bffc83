"""AI Core as the reconciler sees it: a port for reading, and another type that may also write.

`plan`, `status`, `drift` and the console hold an `AICore`; only `apply` is given an `AICoreWriter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from reconciler import wire
from reconciler.clock import Clock, SystemClock
from reconciler.errors import AmbiguousError, ApiError, NotFoundError
from reconciler.live import (
    Application,
    ApplicationStatus,
    Artifact,
    Configuration,
    Deployment,
    Executable,
    Execution,
    LogLine,
    Metrics,
    Repository,
)
from reconciler.retry import repeat_read

#: Objects per page. Large, because a reading should be few requests: half of what the service itself gives
#: to whoever names no number.
PAGE = 5000
#: Log lines per request: the API's own maximum.
LOG_PAGE = 5000
#: Executions per metrics request: the API's own maximum.
METRICS_PAGE = 10
Headers = Mapping[str, str]


class Pipe(Protocol):
    """What carries the requests: `reconciler.transport.Transport`, or a test's own.

    `headers` go beside, and instead of, those that every request has.
    """

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Headers | None = None
    ) -> Any: ...

    def post(
        self, path: str, body: Mapping[str, Any], headers: Headers | None = None
    ) -> Mapping[str, Any]: ...

    def patch(
        self, path: str, body: Mapping[str, Any], headers: Headers | None = None
    ) -> Mapping[str, Any]: ...

    def delete(self, path: str) -> Mapping[str, Any]: ...


class AICore:
    """Read port. Every method raises TransientError, AuthenticationError or ApiError when it cannot read."""

    def __init__(self, pipe: Pipe, clock: Clock | None = None) -> None:
        self._pipe = pipe
        self._clock = clock or SystemClock()

    def repositories(self) -> tuple[Repository, ...]:
        return wire.parse("a repository", wire.repository, self._list("/admin/repositories"))

    def applications(self) -> tuple[Application, ...]:
        return wire.parse("an application", wire.application, self._list("/admin/applications"))

    def application_status(self, name: str) -> ApplicationStatus:
        answer = self._get(f"/admin/applications/{quote(name)}/status")
        return wire.parse("an application status", wire.application_status, (answer,))[0]

    def resource_groups(self) -> frozenset[str]:
        return frozenset(self._names("/admin/resourceGroups", "resourceGroupId"))

    def resource_group_ready(self, name: str) -> bool:
        """Whether AI Core has finished setting the group up. Raises ApiError when it failed to."""
        answer = self._get(f"/admin/resourceGroups/{quote(name)}")
        status = answer.get("status") if isinstance(answer, Mapping) else None
        if status == "ERROR":
            raise ApiError(
                f"AI Core could not set up resource group {name}: {answer.get('statusMessage') or status}"
            )
        return status == "PROVISIONED"

    def resource_group_labels(self, name: str) -> dict[str, str]:
        """Its labels; none for a group that does not exist (yet)."""
        try:
            answer = self._get(f"/admin/resourceGroups/{quote(name)}")
        except NotFoundError:
            return {}
        return wire.parse("a resource group", lambda item: wire.pairs(item.get("labels")), (answer,))[0]

    def object_store_secrets(self) -> dict[str, dict[str, str]]:
        """Name -> what AI Core shows of it, never its keys."""
        return dict(wire.parse("an object store secret", wire.shown, self._list("/admin/objectStoreSecrets")))

    def docker_secrets(self) -> frozenset[str]:
        return frozenset(self._names("/admin/dockerRegistrySecrets", "name"))

    def generic_secrets(self, *, tenant_wide: bool) -> dict[str, dict[str, str]]:
        """Name -> labels, of the resource group or of the whole tenant."""
        items = self._list("/admin/secrets", headers=_scope(tenant_wide))
        return dict(
            wire.parse("a secret", lambda item: (str(item["name"]), wire.pairs(item.get("labels"))), items)
        )

    def executables(self, scenario: str) -> tuple[Executable, ...]:
        """What AI Core offers of a scenario; nothing where it has synced none of its templates."""
        try:
            items = self._list(f"/lm/scenarios/{quote(scenario)}/executables")
        except NotFoundError:
            return ()
        return wire.parse("an executable", wire.executable, items)

    def artifacts(self, scenario: str) -> tuple[Artifact, ...]:
        return wire.parse("an artifact", wire.artifact, self._list("/lm/artifacts", {"scenarioId": scenario}))

    def configurations(self, scenario: str) -> tuple[Configuration, ...]:
        items = self._list("/lm/configurations", {"scenarioId": scenario})
        return wire.parse("a configuration", wire.configuration, items)

    def executions(self, scenario: str, configuration: str | None = None) -> tuple[Execution, ...]:
        params = {"scenarioId": scenario} | ({"configurationId": configuration} if configuration else {})
        return wire.parse("an execution", wire.execution, self._list("/lm/executions", params))

    def deployments(self, scenario: str) -> tuple[Deployment, ...]:
        items = self._list("/lm/deployments", {"scenarioId": scenario})
        return wire.parse("a deployment", wire.deployment, items)

    def execution(self, execution_id: str) -> Execution:
        """One execution; raises NotFoundError if there is none of that id."""
        answer = self._get(f"/lm/executions/{quote(execution_id)}")
        return wire.parse("an execution", wire.execution, (answer,))[0]

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment; raises NotFoundError if there is none of that id."""
        answer = self._get(f"/lm/deployments/{quote(deployment_id)}")
        return wire.parse("a deployment", wire.deployment, (answer,))[0]

    def metrics(self, executions: Sequence[str]) -> dict[str, Metrics]:
        """What the executions have tracked, by execution id; those without metrics are absent."""
        found: dict[str, Metrics] = {}
        for start in range(0, len(executions), METRICS_PAGE):
            wanted = ",".join(executions[start : start + METRICS_PAGE])
            try:
                answer = self._get("/lm/metrics", {"executionIds": wanted, "$select": "*"})
            except NotFoundError:
                continue  # the service's way to say: nothing tracked yet
            for item in wire.parse("metrics", wire.metrics, _resources("/lm/metrics", answer)):
                found[item.execution] = item
        return found

    def logs(self, execution_id: str, start: datetime) -> tuple[LogLine, ...]:
        """All lines from `start` on, oldest first."""
        lines: list[LogLine] = []
        seen: set[LogLine] = set()
        while True:
            params = {"$top": str(LOG_PAGE), "$order": "asc", "start": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}"}
            answer = self._get(f"/lm/executions/{quote(execution_id)}/logs", params)
            items = (answer.get("data") or {}).get("result") or () if isinstance(answer, Mapping) else ()
            page = wire.parse("a log line", wire.log_line, items)
            fresh = [line for line in page if line not in seen]
            lines += fresh
            seen.update(fresh)
            if len(page) < LOG_PAGE or not fresh:
                return tuple(lines)
            start = page[-1].timestamp  # inclusive: lines of that very moment come again and are dropped

    def last_lines(self, execution_id: str, start: datetime, count: int) -> tuple[LogLine, ...]:
        """The last `count` lines since `start`, oldest first, by one request."""
        params = {"$top": str(count), "$order": "desc", "start": f"{start:%Y-%m-%dT%H:%M:%S.%fZ}"}
        answer = self._get(f"/lm/executions/{quote(execution_id)}/logs", params)
        items = (answer.get("data") or {}).get("result") or () if isinstance(answer, Mapping) else ()
        lines = wire.parse("a log line", wire.log_line, items)[::-1]  # those of one moment keep their order
        return tuple(sorted(lines, key=lambda line: line.timestamp))

    def _names(self, path: str, key: str) -> tuple[str, ...]:
        return wire.parse(f"an entry of {path}", lambda item: str(item[key]), self._list(path))

    def _get(self, path: str, params: Mapping[str, str] | None = None, headers: Headers | None = None) -> Any:
        return repeat_read(lambda: self._pipe.get(path, params, *_beside(headers)), self._clock)

    def _list(
        self, path: str, params: Mapping[str, str] | None = None, headers: Headers | None = None
    ) -> list[Mapping[str, Any]]:
        """Every object of a collection, or an error: never a part of it."""
        items: dict[str, Mapping[str, Any]] = {}
        while True:
            page = {"$top": str(PAGE), "$skip": str(len(items))} if items else {"$top": str(PAGE)}
            answer = self._get(path, {**(params or {}), **page}, headers)
            found = _resources(path, answer)
            before = len(items)
            items.update((_identity(path, item), item) for item in found)
            # An admin collection need not count itself, and need not page: a short page is the last one.
            total = answer.get("count", 0)
            if len(found) < PAGE and len(items) >= total:
                return list(items.values())
            if len(items) == before:
                raise ApiError(f"GET {path}: AI Core announces {total} objects and returns {before}.")


class AICoreWriter(AICore):
    """Read and write port. Each method sends exactly one request and raises AmbiguousError when in doubt."""

    def create_resource_group(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        body = {"resourceGroupId": name} | ({"labels": _labels(labels)} if labels else {})
        self._pipe.post("/admin/resourceGroups", body)

    def patch_resource_group(self, name: str, labels: Mapping[str, str]) -> None:
        """Replace all labels."""
        self._pipe.patch(f"/admin/resourceGroups/{quote(name)}", {"labels": _labels(labels)})

    def create_object_store_secret(self, body: Mapping[str, Any]) -> None:
        self._pipe.post("/admin/objectStoreSecrets", body)

    def patch_object_store_secret(self, body: Mapping[str, Any]) -> None:
        self._pipe.patch(f"/admin/objectStoreSecrets/{quote(body['name'])}", body)

    def create_docker_secret(self, name: str, data: Mapping[str, str]) -> bool:
        """False where AI Core says, without an error, that the secret existed and is as it was."""
        answer = self._pipe.post("/admin/dockerRegistrySecrets", {"name": name, "data": dict(data)})
        return "exists" not in str(answer.get("message", "")).lower()

    def patch_docker_secret(self, name: str, data: Mapping[str, str]) -> None:
        self._pipe.patch(f"/admin/dockerRegistrySecrets/{quote(name)}", {"data": dict(data)})

    def create_generic_secret(
        self, name: str, data: Mapping[str, str], labels: Mapping[str, str], *, tenant_wide: bool
    ) -> None:
        """`data`: values in base64."""
        body = {"name": name, "data": dict(data), "labels": _labels(labels)}
        self._pipe.post("/admin/secrets", body, _scope(tenant_wide))

    def patch_generic_secret(
        self, name: str, data: Mapping[str, str], labels: Mapping[str, str], *, tenant_wide: bool
    ) -> None:
        """Replace all values (in base64) and all labels."""
        body = {"data": dict(data), "labels": _labels(labels)}
        self._pipe.patch(f"/admin/secrets/{quote(name)}", body, _scope(tenant_wide))

    def create_repository(self, name: str, url: str, username: str, password: str) -> None:
        body = {"name": name, "url": url, "username": username, "password": password}
        self._pipe.post("/admin/repositories", body)

    def patch_repository(self, name: str, username: str, password: str) -> None:
        """Replace the credentials; AI Core changes nothing else of a repository."""
        self._pipe.patch(f"/admin/repositories/{quote(name)}", {"username": username, "password": password})

    def create_application(self, name: str, repository: str, path: str, revision: str) -> None:
        body = {"applicationName": name, "repositoryName": repository, "path": path, "revision": revision}
        self._pipe.post("/admin/applications", body)

    def patch_application(self, name: str, url: str, path: str, revision: str) -> None:
        body = {"repositoryUrl": url, "path": path, "revision": revision}
        self._pipe.patch(f"/admin/applications/{quote(name)}", body)

    def refresh_application(self, name: str) -> None:
        """Ask for a sync now; asking twice does no harm."""
        self._pipe.post(f"/admin/applications/{quote(name)}/refresh", {})

    def create_artifact(
        self, *, name: str, kind: str, url: str, scenario: str, description: str, labels: Mapping[str, str]
    ) -> str:
        body = {
            "name": name,
            "kind": kind,
            "url": url,
            "scenarioId": scenario,
            "labels": [{"key": key, "value": value} for key, value in sorted(labels.items())],
        }
        return self._created("/lm/artifacts", body | ({"description": description} if description else {}))

    def create_configuration(
        self,
        *,
        name: str,
        scenario: str,
        executable: str,
        parameters: Mapping[str, str],
        inputs: Mapping[str, str],
    ) -> str:
        """`inputs`: input port -> artifact id."""
        body = {
            "name": name,
            "scenarioId": scenario,
            "executableId": executable,
            "parameterBindings": [{"key": k, "value": v} for k, v in sorted(parameters.items())],
            "inputArtifactBindings": [{"key": k, "artifactId": v} for k, v in sorted(inputs.items())],
        }
        return self._created("/lm/configurations", body)

    def stop_execution(self, execution_id: str) -> None:
        """Ask for STOPPED; asking twice does no harm."""
        self._pipe.patch(f"/lm/executions/{quote(execution_id)}", {"targetStatus": "STOPPED"})

    def delete_execution(self, execution_id: str) -> None:
        """Delete an execution that does not run, with its log. Raises NotFoundError when it is gone."""
        self._pipe.delete(f"/lm/executions/{quote(execution_id)}")

    def create_execution(self, configuration: str) -> str:
        return self._created("/lm/executions", {"configurationId": configuration})

    def create_deployment(self, configuration: str, ttl: str | None = None) -> str:
        """`ttl`: the time after which AI Core removes the deployment, such as `12h`."""
        body = {"configurationId": configuration}
        return self._created("/lm/deployments", body | ({"ttl": ttl} if ttl else {}))

    def patch_deployment(self, deployment_id: str, configuration: str) -> None:
        """Let a deployment serve another configuration, at the URL that it has; twice does no harm."""
        self._pipe.patch(f"/lm/deployments/{quote(deployment_id)}", {"configurationId": configuration})

    def stop_deployment(self, deployment_id: str) -> None:
        """Ask for STOPPED; asking twice does no harm. A stopped deployment never starts again."""
        self._pipe.patch(f"/lm/deployments/{quote(deployment_id)}", {"targetStatus": "STOPPED"})

    def delete_deployment(self, deployment_id: str) -> None:
        """Delete a deployment that does not run. Raises NotFoundError when it is gone already."""
        self._pipe.delete(f"/lm/deployments/{quote(deployment_id)}")

    def _created(self, path: str, body: Mapping[str, Any]) -> str:
        answer = self._pipe.post(path, body)
        if not isinstance(answer.get("id"), str):
            raise AmbiguousError(f"POST {path}: the answer names no id.")
        return str(answer["id"])


def _labels(labels: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(labels.items())]


def _scope(tenant_wide: bool) -> Headers:
    """`*` and the tenant's scope: AI Core hands the secret on to every resource group."""
    if tenant_wide:
        return {"AI-Tenant-Scope": "true", "AI-Resource-Group": "*"}
    return {"AI-Tenant-Scope": "false"}


def _beside(headers: Headers | None) -> tuple[Headers, ...]:
    return () if headers is None else (headers,)


def _resources(path: str, answer: Any) -> list[Mapping[str, Any]]:
    if isinstance(answer, Mapping) and isinstance(answer.get("resources"), list):
        return list(answer["resources"])
    raise ApiError(f"GET {path}: the answer holds no list of resources.")


def _identity(path: str, item: Mapping[str, Any]) -> str:
    for key in ("id", "name", "applicationName", "resourceGroupId"):
        if key in item:
            return str(item[key])
    raise ApiError(f"GET {path}: an object has neither id nor name.")
