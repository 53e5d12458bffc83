"""The engine's and the sync's behaviour when the machine misbehaves; without a server."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from localcore.api.context import Services
from localcore.api.meta import healthz
from localcore.auth import Credentials
from localcore.engines.process import ProcessEngine
from localcore.engines.registration import registered
from localcore.engines.serving import DeploymentEngine
from localcore.errors import ApiError
from localcore.gitsync import GitSync
from localcore.home import Home
from localcore.states import refusal
from localcore.store.store import Store


@pytest.fixture
def services(tmp_path: Path) -> Services:
    home = Home(tmp_path / "data")
    home.prepare()
    store = Store(home.database)
    engine = ProcessEngine(store, home, "http://127.0.0.1:1", max_running=1, grace=0.1)
    sync = GitSync(store, home.git, 3600, engine.wake)
    deployments = DeploymentEngine(store, home, "http://127.0.0.1:1", grace=0.1)
    return Services(home, store, engine, deployments, sync, Credentials("id", "secret"), "http://127.0.0.1:1")


def _execution(services: Services, **configuration: Any) -> str:
    fields = {"name": "c", "scenarioId": "demo", "executableId": "exec", **configuration}
    identifier = services.store.configurations.create("default", fields)
    found = services.store.configurations.get("default", identifier)
    assert found is not None
    return services.store.executions.create("default", found)


def test_health_tells_when_a_part_has_ended(services: Services) -> None:
    """Proves: a server whose engine or sync is gone does not claim to be ready."""
    assert healthz(services)["status"] == "NOT READY"
    services.engine.start()
    assert "Git sync" in healthz(services)["message"]
    services.sync.start()
    assert "deployments" in healthz(services)["message"]
    services.deployments.start()
    assert healthz(services)["status"] == "READY"
    services.sync.stop()
    services.engine.shutdown(keep_running=True)
    services.deployments.shutdown(keep_running=True)
    assert "engine" in healthz(services)["message"]


def test_a_failing_round_is_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, support: Any
) -> None:
    """Proves: a full disk for one moment does not end the engine."""
    rounds: list[int] = []

    def failing() -> bool:
        rounds.append(1)
        if len(rounds) == 1:
            raise OSError(28, "No space left on device")
        if len(rounds) == 2:
            raise sqlite3.OperationalError("database is locked")
        return True

    monkeypatch.setattr(services.engine, "tick", failing)
    services.engine.start()
    support.wait_for(lambda: len(rounds) > 3, what="further rounds")
    services.engine.shutdown(keep_running=True)


def test_a_vanished_executable_sends_a_waiting_execution_back(services: Services, support: Any) -> None:
    """Proves: PENDING becomes UNKNOWN with the reason when the template is removed before it starts."""
    identifier = _execution(services)
    services.store.executions.set_status(identifier, "PENDING", expected=("UNKNOWN",))
    services.engine.tick()
    services.engine.tick()
    row = services.store.executions.row(identifier)
    assert row is not None
    assert row["status"] == "UNKNOWN"
    assert "executable exec" in row["status_message"]


def test_a_group_goes_with_its_deployments(services: Services) -> None:
    """Proves: not while one is wanted; then its rows and its ids are given back to whoever has the files."""
    store = services.store
    store.admin.create_group("team", [])
    fields = {"name": "c", "scenarioId": "demo", "executableId": "exec"}
    configuration = store.configurations.get("team", store.configurations.create("team", fields))
    assert configuration is not None
    identifier = store.deployments.create("team", configuration)
    assert not store.admin.group_in_use("team")
    store.deployments.set_status(identifier, "PENDING", expected=("UNKNOWN",))
    assert store.admin.group_in_use("team")
    store.deployments.set_status(identifier, "STOPPED", expected=("PENDING",))
    assert store.admin.delete_group("team") == ([], [identifier])
    assert store.deployments.row(identifier) is None


def test_a_final_state_is_final(services: Services) -> None:
    """Proves: no later word changes a state that was not expected."""
    identifier = _execution(services)
    change = services.store.executions.set_status
    assert change(identifier, "DEAD", expected=("UNKNOWN",), message="why")
    assert not change(identifier, "COMPLETED", expected=("RUNNING",))
    row = services.store.executions.row(identifier)
    assert row is not None
    assert (row["status"], row["status_message"]) == ("DEAD", "why")


def test_a_run_that_ends_before_anybody_looks_has_a_start(services: Services) -> None:
    """Proves: PENDING straight to COMPLETED keeps the start that the supervisor recorded, the first one."""
    identifier = _execution(services)
    change = services.store.executions.set_status
    assert change(identifier, "PENDING", expected=("UNKNOWN",))
    assert change(identifier, "COMPLETED", expected=("PENDING",), started="2026-01-01T00:00:00Z")
    assert change(identifier, "DEAD", expected=("COMPLETED",), started="2026-01-02T00:00:00Z")
    row = services.store.executions.row(identifier)
    assert row is not None
    assert row["start_time"] == "2026-01-01T00:00:00Z"


def test_outputs_are_registered_once(services: Services) -> None:
    """Proves: the same end recorded twice, as after a crash, registers one artifact."""
    identifier = _execution(services)
    row = services.store.executions.row(identifier)
    assert row is not None
    outputs = registered(services.store, row, {"m": f"ai://default/{identifier}/m"})
    for expected in (("UNKNOWN",), ("COMPLETED",)):
        services.store.executions.set_status(identifier, "COMPLETED", expected=expected, outputs=outputs)
    assert len(services.store.artifacts.outputs([identifier])[identifier]) == 1


STATES = ("UNKNOWN", "PENDING", "RUNNING", "STOPPING", "STOPPED", "COMPLETED", "DEAD")


@pytest.mark.parametrize("status", STATES)
def test_stop_and_delete_rules(status: str) -> None:
    """Proves: the table of states, whole."""
    stop, delete = refusal(status, "STOPPED"), refusal(status, "DELETED")
    assert (stop is None) is (status in ("PENDING", "RUNNING"))
    assert (delete is None) is (status in ("UNKNOWN", "STOPPED", "COMPLETED", "DEAD"))
    for error in (stop, delete):
        assert error is None or (
            isinstance(error, ApiError) and error.status == 412 and status in error.message
        )
