"""What AI Core holds: small frozen values, and nothing about how they were read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from reconciler.failure import Failure

__all__ = ["Artifact", "Configuration", "Deployment", "Execution", "LogLine", "Metric", "Metrics"]

#: `<name>--<12 hex digits>`: how we name configurations.
_OURS = re.compile(r"(?P<name>.+)--[0-9a-f]{12}")

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: Execution states of the AI API that may still end in COMPLETED.
ACTIVE_STATES = frozenset({"UNKNOWN", "PENDING", "RUNNING"})
#: States in which an execution has ended without a result.
FAILED_STATES = frozenset({"DEAD"})
#: States that a person asked for; the reconciler does not count them as failures.
STOPPED_STATES = frozenset({"STOPPING", "STOPPED"})
#: Deployments that serve nothing more and cannot be given another configuration.
ENDED_DEPLOYMENTS = frozenset({"STOPPING", "STOPPED", "DELETING", "COMPLETED"})


@dataclass(frozen=True, slots=True)
class Repository:
    """A Git repository registered in AI Core; its credentials are never readable."""

    name: str
    url: str
    status: str


@dataclass(frozen=True, slots=True)
class Application:
    """The pairing of a repository, a path in it and a revision that AI Core syncs."""

    name: str
    repository_url: str
    path: str
    revision: str


class Written(StrEnum):
    """What the mark of the last write says about a write-only value."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"  #: no mark, or one that was made with other credentials of AI Core
    UNREADABLE = "unreadable"  #: its references lead nowhere on this machine


@dataclass(frozen=True, slots=True)
class Held:
    """How the write-only values of one admin object stand; never the values."""

    written: Written
    message: str = ""  #: which reference leads nowhere


@dataclass(frozen=True, slots=True)
class SyncedResource:
    """One template as AI Core saw it in its last sync."""

    name: str
    kind: str
    status: str
    message: str


@dataclass(frozen=True, slots=True)
class ApplicationStatus:
    """The state of an application's sync. Before the first sync every field is the text "Unknown"."""

    health: str
    sync: str
    message: str
    revision: str
    reconciled_at: str
    resources: tuple[SyncedResource, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """`name: message` of every template that did not sync."""
        return tuple(f"{r.name}: {r.message or r.status}" for r in self.resources if r.status == "SyncFailed")


@dataclass(frozen=True, slots=True)
class Executable:
    """What AI Core has made of a template: of it, the part that the API shows."""

    id: str
    scenario: str
    title: str
    version: str
    parameters: Mapping[str, str] = field(default_factory=dict)  #: name -> default, empty without one


@dataclass(frozen=True, slots=True)
class Artifact:
    """A dataset, model or result set that AI Core knows; `url` is `ai://<object store>/<path>`."""

    id: str
    name: str
    kind: str
    url: str
    scenario: str
    created_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    execution: str | None = None
    configuration: str | None = None  #: id of the configuration that the execution ran


@dataclass(frozen=True, slots=True)
class Configuration:
    """An executable with all its parameters and inputs bound."""

    id: str
    name: str
    scenario: str
    executable: str
    created_at: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  #: input port -> artifact id

    @property
    def own_name(self) -> str | None:
        """The spec's name, where it bears a content hash of ours; None for anybody else's."""
        match = _OURS.fullmatch(self.name)
        return match["name"] if match else None


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a configuration; `status` and `target_status` are the words of the AI API."""

    id: str
    configuration: str  #: id of its configuration
    configuration_name: str
    scenario: str
    executable: str
    status: str
    target_status: str
    created_at: datetime
    modified_at: datetime
    message: str = ""
    details: tuple[str, ...] = ()  #: of one that is DEAD: what its statusDetails say of reasons
    started_at: datetime | None = None
    completed_at: datetime | None = None
    outputs: tuple[Artifact, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it may still complete."""
        return self.status in ACTIVE_STATES and self.target_status not in {"STOPPED", "DELETED"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model server; `status` and `target_status` are the words of the AI API."""

    id: str
    configuration: str  #: id of the configuration that it serves, or is about to
    configuration_name: str
    scenario: str
    executable: str
    status: str
    target_status: str
    created_at: datetime
    modified_at: datetime
    message: str = ""
    url: str = ""  #: empty until it has first run

    @property
    def ended(self) -> bool:
        """Whether it has stopped, or is on its way to that."""
        return self.status in ENDED_DEPLOYMENTS or self.target_status in {"STOPPED", "DELETED"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One value that an execution tracked; `step` is the optimizer step."""

    name: str
    value: float
    step: int | None
    timestamp: datetime | None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that one execution has tracked."""

    execution: str
    metrics: tuple[Metric, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    custom_info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an execution printed."""

    timestamp: datetime
    message: str


@dataclass(frozen=True, slots=True)
class TemplateState:
    """How one wanted template stands in AI Core.

    `synced`: the application is Synced at a revision that holds the very bytes the specs render.
    `published`: the branch AI Core follows holds those bytes (False: render and push first).
    """

    synced: bool
    published: bool
    revision: str = ""
    message: str = ""


@dataclass(frozen=True)
class Live:
    """One consistent reading of AI Core: complete, or not made at all."""

    observed_at: datetime
    repositories: tuple[Repository, ...] = ()
    applications: tuple[Application, ...] = ()
    resource_groups: frozenset[str] = frozenset()
    #: of the wanted resource group; read where the environment declares labels or write-only values
    group_labels: Mapping[str, str] = field(default_factory=dict)
    #: name -> what may be read of it, under AI Core's own keys
    object_store_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    docker_secrets: frozenset[str] = frozenset()
    #: generic secrets in the scope in which the environment declares them: name -> labels
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: address of an admin object -> its write-only values; empty where nobody has compared them
    held: Mapping[str, Held] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    executions: tuple[Execution, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    #: of the runs whose models may be served, by execution id; those that tracked nothing are empty
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    application_status: ApplicationStatus | None = None  #: None where the application does not exist
    templates: Mapping[str, TemplateState] = field(default_factory=dict)  #: executable id -> state
    #: of the failed runs whose logs had to be read, by execution id
    failures: Mapping[str, Failure] = field(default_factory=dict)
    #: full name of a live configuration -> the template it was made with, where Git still has it
    past_templates: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    #: `store/prefix` of every dataset that lies complete in its object store
    complete_uploads: frozenset[str] = frozenset()

    @cached_property
    def configurations_by_name(self) -> Mapping[str, tuple[Configuration, ...]]:
        """Name in AI Core -> configurations, oldest first; names are not unique there."""
        return _grouped(sorted(self.configurations, key=lambda c: (c.created_at, c.id)), lambda c: c.name)

    @cached_property
    def configurations_by_own_name(self) -> Mapping[tuple[str, str, str | None], tuple[Configuration, ...]]:
        """(scenario, executable, name in the spec) -> configurations, oldest first; None: not named by us."""
        ordered = sorted(self.configurations, key=lambda c: (c.created_at, c.id))
        return _grouped(ordered, lambda c: (c.scenario, c.executable, c.own_name))

    @cached_property
    def executions_by_configuration(self) -> Mapping[str, tuple[Execution, ...]]:
        """Configuration id -> its executions, oldest first."""
        return _grouped(
            sorted(self.executions, key=lambda e: (e.created_at, e.id)), lambda e: e.configuration
        )

    @cached_property
    def configurations_by_id(self) -> Mapping[str, Configuration]:
        return {configuration.id: configuration for configuration in self.configurations}

    @cached_property
    def artifacts_by_id(self) -> Mapping[str, Artifact]:
        return {artifact.id: artifact for artifact in self.artifacts}

    @cached_property
    def outputs_by_execution(self) -> Mapping[str, tuple[Artifact, ...]]:
        """Execution id -> the artifacts that it wrote, oldest first; the empty id for all others."""
        return _grouped(
            sorted(self.artifacts, key=lambda a: (a.created_at, a.id)), lambda a: a.execution or ""
        )


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, tuple[T, ...]]:
    groups: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return {name: tuple(members) for name, members in groups.items()}
