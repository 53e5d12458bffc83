"""The reconciler's values in the console's shapes, and its errors in the console's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from console.app import create_app
from console.port import NotFoundError, Progress, ReadPort, UnavailableError
from console.source import ReconcilerPort
from reconciler import live
from reconciler.errors import NotFoundError as UnknownError
from reconciler.errors import TransientError
from reconciler.health import Health, Reason, Sync
from reconciler.status import Status, StatusRow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUN = live.Execution(
    id="e0c1d2e3f4a5b6c7",
    configuration="c-1",
    configuration_name="baseline--a1b2",
    scenario="meter-reading",
    executable="digit-detection",
    status="RUNNING",
    target_status="COMPLETED",
    created_at=NOW,
    modified_at=NOW + timedelta(minutes=9),
    outputs=(
        live.Artifact("a-2", "trainedmodel", "model", "ai://default/e0/trainedmodel", "meter-reading", NOW),
    ),
)


class Away:
    """A reader whose every call fails with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def executions(self, scenario: str) -> tuple[live.Execution, ...]:
        raise self._error

    def execution(self, execution_id: str) -> live.Execution:
        raise self._error

    def configurations(self, scenario: str) -> tuple[live.Configuration, ...]:
        raise self._error

    def artifacts(self, scenario: str) -> tuple[live.Artifact, ...]:
        raise self._error

    def metrics(self, executions: Sequence[str]) -> dict[str, live.Metrics]:
        raise self._error

    def logs(self, execution_id: str, start: datetime) -> tuple[live.LogLine, ...]:
        raise self._error


class Canned(Away):
    """A reader with one execution."""

    def __init__(self, run: live.Execution = RUN, custom: dict[str, str] | None = None) -> None:
        super().__init__(AssertionError("not expected"))
        self.run, self.custom = run, custom or {}

    def executions(self, scenario: str) -> tuple[live.Execution, ...]:
        return (self.run,) if scenario == self.run.scenario else ()

    def execution(self, execution_id: str) -> live.Execution:
        return self.run

    def configurations(self, scenario: str) -> tuple[live.Configuration, ...]:
        inputs = {"datain": "a-1", "extra": "a-gone"}
        bound = live.Configuration(
            "c-1", "baseline--a1b2", scenario, "digit-detection", NOW, {"seed": "1"}, inputs
        )
        return (bound,)

    def artifacts(self, scenario: str) -> tuple[live.Artifact, ...]:
        return (live.Artifact("a-1", "meter-digits", "dataset", "ai://default/digits/1", scenario, NOW),)

    def metrics(self, executions: Sequence[str]) -> dict[str, live.Metrics]:
        value = live.Metric("mAP/allClasses", 0.5, 10, NOW, {"data_split": "validation"})
        return {self.run.id: live.Metrics(self.run.id, (value,), {}, self.custom)}

    def logs(self, execution_id: str, start: datetime) -> tuple[live.LogLine, ...]:
        assert start < self.run.created_at
        return (live.LogLine(NOW, "hello"),)


def no_status() -> Status:
    """A status nobody asks for."""
    raise AssertionError("not expected")


def port(reader: Away) -> ReconcilerPort:
    """A port over the given reader."""
    return ReconcilerPort(no_status, reader, ["meter-reading", "other"])


def test_status_rows_become_addresses() -> None:
    """Enumerations are shown as their words, and the execution is linked."""
    row = StatusRow("execution/a/b", Sync.SYNCED, Health.HEALTHY, Reason.COMPLETED, "done", NOW, "e1", 0.9)
    state = ReconcilerPort(lambda: Status("local", NOW, "abc", (row,)), Canned(), ()).overview()
    (shown,) = state.rows
    assert (shown.sync, shown.health, shown.reason, shown.best_map, shown.execution_id) == (
        "Synced",
        "Healthy",
        "Completed",
        0.9,
        "e1",
    )


def test_executions_of_all_scenarios_are_listed() -> None:
    """Each scenario of the specs is asked."""
    assert [run.configuration for run in port(Canned()).executions()] == ["baseline--a1b2"]


def test_detail_resolves_bindings_to_names() -> None:
    """Inputs have their artifact's name and URL; one that is gone keeps its id."""
    detail = port(Canned()).execution(RUN.id)
    assert detail.parameters == {"seed": "1"}
    assert [(link.port, link.name, link.kind) for link in detail.inputs] == [
        ("datain", "meter-digits", "dataset"),
        ("extra", "a-gone", ""),
    ]
    assert [link.name for link in detail.outputs] == ["trainedmodel"]


def test_metrics_keep_their_split_and_progress_is_read() -> None:
    """The label data_split and the custom info become plain fields."""
    report = '{"step": 30, "total_steps": 60, "fraction": 0.5, "stage": "train", "eta_seconds": 12}'
    found = port(Canned(custom={"corespec/progress": report})).metrics(RUN.id)
    assert found.values[0].split == "validation"
    assert found.progress == Progress(30, 60, 0.5, "train", 12)


@pytest.mark.parametrize("report", ["", "nonsense", "[]", '{"step": 3}'])
def test_a_malformed_progress_is_none(report: str) -> None:
    """A foreign trainer's custom info never breaks the page."""
    assert port(Canned(custom={"corespec/progress": report})).metrics(RUN.id).progress is None


def test_logs_are_read_from_before_the_start() -> None:
    """Clocks differ; the first line is not lost."""
    assert [line.message for line in port(Canned()).logs(RUN.id)] == ["hello"]


@pytest.mark.parametrize(("status", "ended"), [("DEAD", True), ("RUNNING", False)])
def test_an_end_without_completion_time_is_the_last_change(status: str, ended: bool) -> None:
    """AI Core gives dead executions no completion time."""
    run = live.Execution(
        RUN.id, "c-1", "x", "meter-reading", "y", status, "COMPLETED", NOW, NOW + timedelta(minutes=9)
    )
    (shown,) = port(Canned(run)).executions()
    assert (shown.completed_at == run.modified_at) is ended


@pytest.mark.parametrize(
    "call",
    [
        lambda source: source.executions(),
        lambda source: source.execution("e0000"),
        lambda source: source.logs("e0000"),
        lambda source: source.metrics("e0000"),
    ],
    ids=["executions", "execution", "logs", "metrics"],
)
@pytest.mark.parametrize(
    ("error", "said"),
    [(UnknownError("no such execution"), NotFoundError), (TransientError("no answer"), UnavailableError)],
)
def test_errors_are_told_apart(
    call: Callable[[ReadPort], object], error: Exception, said: type[Exception]
) -> None:
    """Not found is a 404, not readable is a 502; neither becomes the other."""
    with pytest.raises(said, match=str(error).split("\n")[0]):
        call(port(Away(error)))


def test_announced_failures_become_a_page_with_their_message() -> None:
    """Specs that are being edited may be invalid for a moment: the page says where."""

    class SpecError(Exception):
        pass

    def broken() -> ReadPort:
        raise SpecError("specs/a.yaml:3:1: unknown-key: wnat")

    client = TestClient(create_app(broken, failures=(SpecError,)), base_url="http://127.0.0.1")
    answer = client.get("/executions")
    assert answer.status_code == 502
    assert "specs/a.yaml:3:1" in answer.text
