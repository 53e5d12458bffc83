"""kill -9 between any two requests, then run again: the same end, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.session import open_session
from tests.end_to_end.guillotine import Guillotine
from tests.end_to_end.world import CATALOG, World

MOST_REQUESTS = 200


@pytest.fixture
def guillotine(local: Path, tmp_path: Path) -> Iterator[Guillotine]:
    proxy = Guillotine(local, tmp_path)
    yield proxy
    proxy.close()


def _published(folder: Path, local: Path, name: str, key: Path) -> World:
    """A world whose repository is ready, so that only the talk with the server is left to do."""
    folder.mkdir()
    connection = f"{{connection: serviceKey, serviceKey: 'file:{key}'}}"
    world = World(folder, local, name, connection).build()
    assert world.run("render").code == 0
    assert world.run("publish").code == 0
    return world


def _made(world: World) -> Counter[str]:
    """How many objects of each kind the server holds for this world."""
    live = open_session(world.project, "local", [CATALOG]).observe()
    return Counter(
        artifacts=len(live.artifacts),
        configurations=len(live.configurations),
        executions=len(live.executions),
        applications=sum(item.name == f"{world.name}-app" for item in live.applications),
        repositories=sum(item.name == f"{world.name}-git" for item in live.repositories),
    )


@pytest.mark.timeout(900)
def test_killed_before_any_request_and_run_again(guillotine: Guillotine, local: Path, tmp_path: Path) -> None:
    """Every request of an apply is once the one that never arrives; the second run ends the work."""
    whole: dict[str, Any] = {
        "artifacts": 1,
        "configurations": 1,
        "executions": 1,
        "applications": 1,
        "repositories": 1,
    }
    for spare in range(MOST_REQUESTS):
        world = _published(tmp_path / f"w{spare}", local, f"kill-{spare:03}", guillotine.key)
        arguments = world.arguments("apply", "--yes", "--no-wait")
        code = guillotine.run(arguments, spare)
        if code == 0:
            assert spare > 10
            return
        assert code == -9, f"request {spare}: expected the kill, not exit code {code}"
        assert guillotine.run(arguments) == 0, f"after a kill before request {spare}"
        made = _made(world)
        # The trained model is an artifact too, once the execution has ended.
        made["artifacts"] = min(made["artifacts"], 1)
        assert made == whole, f"after a kill before request {spare}"
    pytest.fail(f"an apply that sends more than {MOST_REQUESTS} requests")
