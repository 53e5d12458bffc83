"""From the AI API's JSON to our values. An answer without a needed field is an ApiError that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler.errors import ApiError
from reconciler.live import (
    Application,
    ApplicationStatus,
    Artifact,
    Configuration,
    Deployment,
    Executable,
    Execution,
    LogLine,
    Metric,
    Metrics,
    Repository,
    SyncedResource,
)

T = TypeVar("T")
Json = Mapping[str, Any]
#: Keys of statusDetails under which Argo and Kubernetes say why.
_REASONS = frozenset({"message", "reason"})


def timestamp(text: str) -> datetime:
    """A moment as AI Core writes it: `Z` or an offset, up to nanoseconds; always returned in UTC."""
    moment = datetime.fromisoformat(_trim_fraction(text))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _trim_fraction(text: str) -> str:
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}"


def optional_timestamp(text: str | None) -> datetime | None:
    return timestamp(text) if text else None


def parse(what: str, convert: Callable[[Json], T], items: Iterable[Json]) -> tuple[T, ...]:
    """Convert every item, or say which field of which kind of object is missing or malformed."""
    try:
        return tuple(convert(item) for item in items)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApiError(
            f"AI Core returned {what} that cannot be read: {type(error).__name__} {error}"
        ) from None


def pairs(items: Iterable[Json] | None, key: str = "key", value: str = "value") -> dict[str, str]:
    """`[{key: k, value: v}]` as a mapping."""
    return {str(item[key]): str(item[value]) for item in items or ()}


def shown(item: Json) -> tuple[str, dict[str, str]]:
    """Name and metadata of an object store secret. AI Core may show the name of the Kubernetes secret."""
    name = str(item["name"]).removesuffix("-object-store-secret")
    return name, {str(key): str(value) for key, value in (item.get("metadata") or {}).items()}


def repository(item: Json) -> Repository:
    return Repository(name=item["name"], url=item["url"], status=str(item.get("status") or "UNKNOWN"))


def application(item: Json) -> Application:
    return Application(
        name=item["applicationName"],
        repository_url=item["repositoryUrl"],
        path=item["path"],
        revision=item["revision"],
    )


def application_status(item: Json) -> ApplicationStatus:
    # The service has shipped the misspelt key as well; both are read.
    resources = item.get("syncResourcesStatus") or item.get("syncRessourcesStatus") or ()
    return ApplicationStatus(
        health=str(item.get("healthStatus") or "Unknown"),
        sync=str(item.get("syncStatus") or "Unknown"),
        message=str(item.get("message") or ""),
        revision=str((item.get("source") or {}).get("revision") or "Unknown"),
        reconciled_at=str(item.get("reconciledAt") or "Unknown"),
        resources=tuple(
            SyncedResource(
                name=str(r.get("name") or ""),
                kind=str(r.get("kind") or ""),
                status=str(r.get("status") or ""),
                message=str(r.get("message") or ""),
            )
            for r in resources
        ),
    )


def executable(item: Json) -> Executable:
    return Executable(
        id=item["id"],
        scenario=item["scenarioId"],
        title=str(item.get("name") or ""),
        version=str(item.get("versionId") or ""),
        parameters={str(p["name"]): str(p.get("default") or "") for p in item.get("parameters") or ()},
    )


def artifact(item: Json) -> Artifact:
    return Artifact(
        id=item["id"],
        name=item["name"],
        kind=item["kind"],
        url=item["url"],
        scenario=item["scenarioId"],
        created_at=timestamp(item["createdAt"]),
        labels=pairs(item.get("labels")),
        execution=item.get("executionId") or None,
        configuration=item.get("configurationId") or None,
    )


def configuration(item: Json) -> Configuration:
    return Configuration(
        id=item["id"],
        name=item["name"],
        scenario=item["scenarioId"],
        executable=item["executableId"],
        created_at=timestamp(item["createdAt"]),
        parameters=pairs(item.get("parameterBindings")),
        inputs=pairs(item.get("inputArtifactBindings"), value="artifactId"),
    )


def execution(item: Json) -> Execution:
    return Execution(
        id=item["id"],
        configuration=item["configurationId"],
        configuration_name=item["configurationName"],
        scenario=item["scenarioId"],
        executable=item.get("executableId") or "",
        status=item["status"],
        target_status=item["targetStatus"],
        created_at=timestamp(item["createdAt"]),
        modified_at=timestamp(item["modifiedAt"]),
        message=item.get("statusMessage") or "",
        details=tuple(_reasons(item.get("statusDetails"))) if item["status"] == "DEAD" else (),
        started_at=optional_timestamp(item.get("startTime")),
        completed_at=optional_timestamp(item.get("completionTime")),
        outputs=tuple(artifact(a) for a in item.get("outputArtifacts") or ()),
    )


def _reasons(details: object) -> Iterator[str]:
    """What statusDetails, whose form nobody has published, says of reasons, however deep."""
    if isinstance(details, Mapping):
        for key, value in details.items():
            if key == "exitCode":
                yield f"exit code {value}"
            elif isinstance(value, str) and key in _REASONS:
                yield value
            else:
                yield from _reasons(value)
    elif isinstance(details, list):
        for value in details:
            yield from _reasons(value)


def deployment(item: Json) -> Deployment:
    return Deployment(
        id=item["id"],
        configuration=item["configurationId"],
        configuration_name=item.get("configurationName") or "",
        scenario=item.get("scenarioId") or "",
        executable=item.get("executableId") or "",
        status=item["status"],
        target_status=item.get("targetStatus") or "",
        created_at=timestamp(item["createdAt"]),
        modified_at=timestamp(item["modifiedAt"]),
        message=item.get("statusMessage") or "",
        url=item.get("deploymentUrl") or "",
    )


def metrics(item: Json) -> Metrics:
    return Metrics(
        execution=item["executionId"],
        metrics=tuple(
            Metric(
                name=m["name"],
                value=float(m["value"]),
                step=m.get("step"),
                timestamp=optional_timestamp(m.get("timestamp")),
                labels=pairs(m.get("labels"), key="name"),
            )
            for m in item.get("metrics") or ()
        ),
        tags=pairs(item.get("tags"), key="name"),
        custom_info=pairs(item.get("customInfo"), key="name"),
    )


def log_line(item: Json) -> LogLine:
    return LogLine(timestamp=timestamp(item["timestamp"]), message=str(item["msg"]))
