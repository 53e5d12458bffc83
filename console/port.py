"""What the pages need to know, and nothing else: a read port that any source of truth can fill.

The console shows; it never changes anything. The port therefore has no writing method at all, and the pages
depend on these few frozen shapes instead of on the reconciler's, so that each can change without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ConsoleError(Exception):
    """Something a page cannot show; the message says what to do next."""


class NotFoundError(ConsoleError):
    """The object asked for does not exist: answered as 404."""


class UnavailableError(ConsoleError):
    """AI Core or the repository cannot be read at the moment: answered as 502, worth a reload."""


@dataclass(frozen=True, slots=True)
class AddressRow:
    """One address of the desired state: how far reality has followed, and why."""

    address: str
    sync: str
    health: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    best_map: float | None = None
    execution_id: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of one environment.

    `unreadable` names what could not be read, so that a gap never looks like health.
    """

    environment: str
    revision: str
    rows: tuple[AddressRow, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a configuration."""

    id: str
    configuration: str
    status: str
    created_at: datetime
    configuration_id: str = ""
    scenario: str = ""
    executable: str = ""
    target_status: str = ""
    status_message: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ArtifactLink:
    """An artifact that went into an execution or came out of it, by the name of its port in the template."""

    port: str
    name: str
    kind: str
    url: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running training says it is; `fraction` lies in 0..1."""

    step: int
    total_steps: int
    fraction: float
    stage: str = ""
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExecutionDetail:
    """An execution with what it was bound to and what it made."""

    execution: Execution
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[ArtifactLink, ...] = ()
    outputs: tuple[ArtifactLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured value; `split` is the data it was measured on (train, validation, test) or empty."""

    name: str
    value: float
    step: int | None = None
    timestamp: datetime | None = None
    split: str = ""


@dataclass(frozen=True, slots=True)
class Metrics:
    """All values of one execution in the order they were measured, and its live progress."""

    values: tuple[Metric, ...] = ()
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line an execution printed."""

    timestamp: datetime | None
    message: str


class ReadPort(Protocol):
    """Where the pages read from.

    Every method may raise `UnavailableError`; those that take an id raise `NotFoundError` for an unknown one.
    """

    def overview(self) -> Overview:
        """State of every address of the environment."""

    def executions(self) -> Sequence[Execution]:
        """All executions, in any order."""

    def execution(self, execution_id: str) -> ExecutionDetail:
        """One execution with its bindings and outputs."""

    def logs(self, execution_id: str) -> Sequence[LogLine]:
        """What it printed, oldest first."""

    def metrics(self, execution_id: str) -> Metrics:
        """What it measured; empty for one that measured nothing."""
