"""The read port filled by the reconciler: what it sees of AI Core, in the shapes the pages show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from console.port import (
    AddressRow,
    ArtifactLink,
    Execution,
    ExecutionDetail,
    LogLine,
    Metric,
    Metrics,
    NotFoundError,
    Overview,
    Progress,
    ReadPort,
    UnavailableError,
)
from reconciler import live
from reconciler.connection import connect_readonly
from reconciler.errors import NotFoundError as UnknownError
from reconciler.errors import ReconcilerError
from reconciler.session import open_session
from reconciler.status import Status, split_of
from reconciler.watch import ENDED, progress
from reconciler.workbench import read_specs

_BEFORE = timedelta(minutes=5)  # a log may begin before the execution's own clock says it was created


class Reader(Protocol):
    """The reads of `reconciler.aicore.AICore` that the pages need."""

    def executions(self, scenario: str) -> tuple[live.Execution, ...]: ...

    def execution(self, execution_id: str) -> live.Execution: ...

    def configurations(self, scenario: str) -> tuple[live.Configuration, ...]: ...

    def artifacts(self, scenario: str) -> tuple[live.Artifact, ...]: ...

    def metrics(self, executions: Sequence[str]) -> dict[str, live.Metrics]: ...

    def logs(self, execution_id: str, start: datetime) -> tuple[live.LogLine, ...]: ...


class ReconcilerPort:
    """Reads one environment through the reconciler; one object serves one request."""

    def __init__(self, status: Callable[[], Status], reader: Reader, scenarios: Sequence[str]) -> None:
        self._status = status
        self._reader = reader
        self._scenarios = tuple(scenarios)

    def overview(self) -> Overview:
        with _translated():
            found = self._status()
        rows = tuple(
            AddressRow(
                address=row.address,
                sync=row.sync.value,
                health=row.health.value,
                reason=row.reason.value,
                message="; ".join(part for part in (row.message, row.alert) if part),
                since=row.since,
                best_map=row.best,
                execution_id=row.execution,
            )
            for row in found.rows
        )
        return Overview(found.environment, found.revision, rows)

    def executions(self) -> Sequence[Execution]:
        with _translated():
            return [_execution(run) for one in self._scenarios for run in self._reader.executions(one)]

    def execution(self, execution_id: str) -> ExecutionDetail:
        with _translated():
            run = self._reader.execution(execution_id)
            known = {one.id: one for one in self._reader.configurations(run.scenario)}
            artifacts = {one.id: one for one in self._reader.artifacts(run.scenario)}
        configuration = known.get(run.configuration)
        return ExecutionDetail(
            execution=_execution(run),
            parameters=configuration.parameters if configuration else {},
            inputs=tuple(
                _input(port, artifact_id, artifacts.get(artifact_id))
                for port, artifact_id in (configuration.inputs if configuration else {}).items()
            ),
            outputs=tuple(ArtifactLink(one.name, one.name, one.kind, one.url, one.id) for one in run.outputs),
        )

    def logs(self, execution_id: str) -> Sequence[LogLine]:
        with _translated():
            run = self._reader.execution(execution_id)
            lines = self._reader.logs(execution_id, run.created_at - _BEFORE)
        return [LogLine(line.timestamp, line.message) for line in lines]

    def metrics(self, execution_id: str) -> Metrics:
        with _translated():
            run = self._reader.execution(execution_id)
            found = self._reader.metrics([execution_id]).get(execution_id)
        values = () if found is None else found.metrics
        return Metrics(
            values=tuple(
                Metric(one.name, one.value, one.step, one.timestamp, split_of(one)) for one in values
            ),
            progress=_progress(run, found),
        )


def reconciler_port(root: Path, environment: str, catalog: Sequence[Path] = ()) -> ReadPort:
    """A port on one environment of the project in `root`, with its specs as they are now.

    Raises UnavailableError where AI Core cannot be reached; faults of the specs pass through as the
    generator's own errors (give `create_app` their type in `failures`).
    """
    with _translated():
        resolved = read_specs(root, environment, catalog)
        reader = connect_readonly(resolved.environment, root)
    scenarios = [scenario.metadata.name for scenario in resolved.scenarios]
    return ReconcilerPort(lambda: open_session(root, environment, catalog).status(), reader, scenarios)


@contextmanager
def _translated() -> Iterator[None]:
    """Say the reconciler's errors in the port's words: not found is a different thing from not readable."""
    try:
        yield
    except UnknownError as error:
        raise NotFoundError(str(error)) from error
    except ReconcilerError as error:
        raise UnavailableError(str(error)) from error


def _execution(run: live.Execution) -> Execution:
    return Execution(
        id=run.id,
        configuration=run.configuration_name,
        status=run.status,
        created_at=run.created_at,
        configuration_id=run.configuration,
        scenario=run.scenario,
        executable=run.executable,
        target_status=run.target_status,
        status_message=run.message,
        started_at=run.started_at,
        completed_at=run.completed_at or (run.modified_at if run.status in ENDED else None),
    )


def _input(port: str, artifact_id: str, artifact: live.Artifact | None) -> ArtifactLink:
    """An artifact that is gone, or of another scenario, is still named by its id."""
    if artifact is None:
        return ArtifactLink(port, artifact_id, "", "", artifact_id)
    return ArtifactLink(port, artifact.name, artifact.kind, artifact.url, artifact_id)


def _progress(run: live.Execution, found: live.Metrics | None) -> Progress | None:
    """The training's own report; none where it has not said how far it is."""
    said = progress(run, found, datetime.now(UTC))
    if said.step is None or said.total_steps is None or said.fraction is None:
        return None
    return Progress(
        said.step, said.total_steps, min(max(said.fraction, 0.0), 1.0), said.stage, said.eta_seconds
    )
