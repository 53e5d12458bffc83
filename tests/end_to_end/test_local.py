"""`corespec local`: one server for one folder, found again after whatever happened to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from corespec import localserver
from tests.end_to_end.world import Result, World, corespec


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    localserver.stop(tmp_path / "data")


def _up(data: Path) -> Result:
    result = corespec("local", "up", "--data", data, "-o", "json")
    assert result.code == 0, result.err
    return result


def test_up_twice_is_one_server(data: Path) -> None:
    """The second `up` finds the first one's process and starts nothing."""
    first, second = _up(data).document, _up(data).document
    assert first.pop("started") is True
    assert second.pop("started") is False
    assert first == second
    assert corespec("local", "status", "--data", data).code == 0


def test_a_killed_server_comes_back_at_the_same_address(data: Path) -> None:
    """After kill -9 `status` says that it is down, and `up` serves the same data at the same port."""
    first = _up(data).document
    os.kill(first["pid"], signal.SIGKILL)
    os.waitpid(first["pid"], 0)
    assert corespec("local", "status", "--data", data).code == 4
    second = _up(data).document
    assert second["started"] is True
    assert second["url"] == first["url"]
    assert second["pid"] != first["pid"]


def test_down_ends_the_process_and_keeps_the_data(data: Path) -> None:
    """`down` waits until the process is gone; a second one has nothing to do."""
    pid = _up(data).document["pid"]
    assert corespec("local", "down", "--data", data, "-o", "json").document["stopped"] is True
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (data / "service-key.json").exists()
    assert corespec("local", "down", "--data", data, "-o", "json").document["stopped"] is False


def test_up_takes_the_folder_that_the_environment_names(tmp_path: Path) -> None:
    """Inside a project no --data is needed; the plan then reaches that server."""
    world = World(tmp_path, tmp_path / "local").build()
    world.edit(world.scenario, "want: 1", "want: many")  # its own specs need not be right for that
    try:
        assert corespec("local", "up", "-C", world.project).code == 0
        world.edit(world.scenario, "want: many", "want: 1")
        assert world.run("plan").code == 3
    finally:
        assert corespec("local", "down", "-C", world.project).code == 0
