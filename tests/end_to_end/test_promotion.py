"""The best model serves: trained, measured, deployed, replaced at the same URL, and asked over HTTP."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.aicore import AICoreWriter
from reconciler.connection import connect
from reconciler.errors import AmbiguousError
from reconciler.session import Session
from tests.end_to_end.world import CATALOG, World

METRIC = "mAP/allClasses"
SECONDS = 30


class Served:
    """A world whose model server serves the best of its trainings."""

    def __init__(self, world: World) -> None:
        self.world = world
        server = (
            "  {0}-server: {{workflow: tiny-serve, image: docker.io/acme/tiny:0.0.1, resourcePlan: infer.s}}"
        )
        world.edit(world.scenario, "datasets:\n", f"{server.format(world.name)}\ndatasets:\n")
        with world.scenario.open("a") as spec:
            spec.write("deployments:\n  scanner:\n")
            spec.write(f"    executable: {world.name}-server\n")
            spec.write(
                f"    inputs: {{models: {{best: {{of: [baseline], metric: {METRIC}, atLeast: 0.5}}}}}}\n"
            )
        world.push("Serve the best")
        environment = Session(world.project, "local", (CATALOG,)).bench().environment
        self.aicore: AICoreWriter = connect(environment, world.project)

    def measure(self, value: float) -> str:
        """The latest training gets a figure, as its own tracker would have sent it; returns its id."""
        run = max(self.aicore.executions(self.world.name), key=lambda item: (item.created_at, item.id))
        metric = {
            "name": METRIC,
            "value": value,
            "step": 1,
            "labels": [{"name": "data_split", "value": "test"}],
        }
        with contextlib.suppress(AmbiguousError):  # the answer has no body
            self.aicore._pipe.patch("/lm/metrics", {"executionId": run.id, "metrics": [metric]})
        return run.id

    def row(self) -> dict[str, Any]:
        result = self.world.run("status", "-o", "json")
        return next(r for r in result.document["rows"] if r["address"].startswith("deployment/"))

    def until(self, true: Callable[[], bool]) -> None:
        """A server is a process: it takes a moment to answer."""
        deadline = time.monotonic() + SECONDS
        while not true():
            assert time.monotonic() < deadline, self.row()
            time.sleep(0.1)

    def answers(self, rate: float) -> bool:
        """Whether the deployment is up and serves the model that was trained with this rate."""
        (server,) = self.aicore.deployments(self.world.name)
        if server.status != "RUNNING":
            return False
        found: float = self.aicore._pipe.get(f"/inference/deployments/{server.id}/rate")
        return found == rate


@pytest.fixture
def served(world: World) -> Served:
    return Served(world)


def test_a_promotion_from_the_first_model_to_a_better_one(served: Served) -> None:
    """One deployment from the beginning to the end; a worse training changes nothing; status says why."""
    world = served.world
    assert world.converge().code == 3, "a server without a measured model is pending"
    assert "wait deployment/" in world.run("plan").out
    first = served.measure(0.7)
    world.converge()
    served.until(lambda: served.answers(0.001))
    assert world.run("plan").code == 0
    row = served.row()
    assert row["health"] == "Healthy"
    assert row["message"].startswith(f"serves {first} ({METRIC} 0.7 on test) since ")

    rates = {"0.002": 0.6, "0.003": 0.9}
    before = "0.001"
    for rate, value in rates.items():
        world.edit(world.scenario, f"base_learning_rate: {before}", f"base_learning_rate: {rate}")
        world.push(f"Learn at {rate}")
        world.converge()
        last = served.measure(value)
        before = rate
        if value < 0.7:
            assert world.run("plan").code == 0
            assert f"best candidate {last} 0.6 is not better" in served.row()["message"]
    world.converge()
    served.until(lambda: served.answers(0.003))
    assert served.row()["deployment_url"] == row["deployment_url"]
    assert served.row()["message"].startswith(f"serves {last} ({METRIC} 0.9 on test)")
    written = [line for line in world.writes() if "/deployments" in line]
    assert written == ["POST /v2/lm/deployments", f"PATCH /v2/lm/deployments/{row['deployment']}"]
