"""A read port with canned data, and a client that talks to the console over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from console.app import create_app
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
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class CannedPort:
    """Answers from dictionaries; tests change what they need to."""

    state: Overview
    details: dict[str, ExecutionDetail] = field(default_factory=dict)
    measured: dict[str, Metrics] = field(default_factory=dict)
    printed: dict[str, Sequence[LogLine]] = field(default_factory=dict)

    def overview(self) -> Overview:
        return self.state

    def executions(self) -> Sequence[Execution]:
        return [detail.execution for detail in self.details.values()]

    def execution(self, execution_id: str) -> ExecutionDetail:
        if execution_id not in self.details:
            raise NotFoundError(f"There is no execution {execution_id}.")
        return self.details[execution_id]

    def logs(self, execution_id: str) -> Sequence[LogLine]:
        return self.printed.get(execution_id, ())

    def metrics(self, execution_id: str) -> Metrics:
        return self.measured.get(execution_id, Metrics())


def training(rate: float, steps: int, total: int, *, best: float) -> tuple[Metric, ...]:
    """What a training with that learning rate reports up to `steps` of `total`."""
    values: list[Metric] = []
    for step in range(20, steps + 1, 20):
        at = NOW - timedelta(seconds=(steps - step) * 1.5)
        share = step / total
        loss = 3.2 * math.exp(-4 * share) + 0.25 + 0.05 * math.sin(step)
        values.append(Metric("loss", loss, step, at, "train"))
        values.append(Metric("learning_rate", rate * math.sin(math.pi * share), step, at, "train"))
        if step % 60 == 0:
            reached = best * (1 - math.exp(-6 * share))
            values.append(Metric("mAP/allClasses", reached, step, at, "validation"))
            values.extend(
                Metric(f"mAP/{digit}", reached * (1 - 0.02 * (digit % 4)), step, at, "validation")
                for digit in range(10)
            )
    if steps == total:
        values.append(Metric("mAP/allClasses", best, steps, NOW, "test"))
        values.append(Metric("reading_accuracy", best - 0.06, steps, NOW, "test"))
        values.extend(Metric(f"mAP/{digit}", best - 0.004 * digit, steps, NOW, "test") for digit in range(10))
    return tuple(values)


def detail(
    run_id: str, name: str, status: str, hours: float, rate: str, **times: datetime
) -> ExecutionDetail:
    """One execution of the meter-reading scenario, created `hours` before now."""
    run = Execution(
        id=run_id,
        configuration=name,
        status=status,
        created_at=NOW - timedelta(hours=hours),
        scenario="meter-reading",
        executable="digit-detection",
        target_status="COMPLETED",
        started_at=times.get("started"),
        completed_at=times.get("completed"),
        status_message="Every class below the floor: labels.xml names no digit." if status == "DEAD" else "",
    )
    outputs = (
        (ArtifactLink("trainedmodel", "trainedmodel", "model", f"ai://default/{run_id}/trainedmodel"),)
        if status == "COMPLETED"
        else ()
    )
    parameters = {
        "base_learning_rate": rate,
        "batch_size": "12",
        "maximum_training_steps": "600",
        "seed": "1337",
    }
    data = ArtifactLink(
        "datain", "meter-digits--3fe9a1c07b52", "dataset", "ai://default/meter-reading/3fe9a1c07b52"
    )
    return ExecutionDetail(run, parameters, (data,), outputs)


@pytest.fixture
def port() -> CannedPort:
    """Three executions: one done, one running, one dead; and the addresses they belong to."""
    done = detail(
        "e0c1d2e3f4a5b6c7",
        "baseline--a1b2c3d4e5f6",
        "COMPLETED",
        3,
        "0.002",
        started=NOW - timedelta(hours=3),
        completed=NOW - timedelta(hours=2, minutes=51),
    )
    running = detail(
        "e1aa00bb11cc22dd", "fast--0f1e2d3c4b5a", "RUNNING", 0.1, "0.004", started=NOW - timedelta(minutes=6)
    )
    dead = detail("e2deadbeefdead00", "broken--99aa88bb77cc", "DEAD", 26, "0.002")
    rows = (
        AddressRow("dataset.meter-digits", "Synced", "Healthy", "Uploaded", "", NOW - timedelta(days=2)),
        AddressRow(
            "execution.baseline",
            "Synced",
            "Healthy",
            "Completed",
            "",
            NOW - timedelta(hours=3),
            0.962,
            done.execution.id,
        ),
        AddressRow(
            "execution.fast",
            "Synced",
            "Progressing",
            "Training",
            "step 360 of 600",
            NOW - timedelta(minutes=6),
            0.871,
            running.execution.id,
        ),
        AddressRow(
            "execution.broken",
            "OutOfSync",
            "Degraded",
            "Stalled",
            "failed 3 times; change the spec to try again",
            NOW - timedelta(hours=26),
            None,
            dead.execution.id,
        ),
    )
    lines = [
        LogLine(
            NOW - timedelta(seconds=180 - second),
            f"step {2 * second} of 600  loss {3 / (1 + second):.3f}  eta 0:02:10",
        )
        for second in range(180)
    ]
    return CannedPort(
        state=Overview("local", "4cd2b2a9f00d4cd2b2a9f00d4cd2b2a9f00d1234", rows),
        details={one.execution.id: one for one in (done, running, dead)},
        measured={
            done.execution.id: Metrics(training(0.002, 600, 600, best=0.962)),
            running.execution.id: Metrics(
                training(0.004, 360, 600, best=0.93), Progress(360, 600, 0.6, "train", eta_seconds=130)
            ),
        },
        printed={running.execution.id: lines, done.execution.id: lines},
    )


@pytest.fixture
def browse() -> Callable[[ReadPort], TestClient]:
    """A client of a console over the given port, with the clock stopped at `NOW`."""

    def open_client(source: ReadPort) -> TestClient:
        return TestClient(create_app(lambda: source, now=lambda: NOW), base_url="http://127.0.0.1")

    return open_client


@pytest.fixture
def client(port: CannedPort, browse: Callable[[ReadPort], TestClient]) -> TestClient:
    """A client of the canned console."""
    return browse(port)
