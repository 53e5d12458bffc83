"""kill -9 between any two requests, then run again: the same end, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.session import open_session
from tests.end_to_end.guillotine import KILLED, Guillotine
from tests.end_to_end.world import CATALOG, World

pytestmark = pytest.mark.long

#: Walks at the same time: most of one is waiting for the server.
WORKERS = 3


@contextmanager
def _published(folder: Path, local: Path, name: str) -> Iterator[tuple[World, Guillotine]]:
    """A world whose repository is ready, so that only the talk with the server is left to do."""
    folder.mkdir()
    guillotine = Guillotine(local, folder)
    try:
        connection = f"{{connection: serviceKey, serviceKey: 'file:{guillotine.key}'}}"
        world = World(folder, local, name, connection).build()
        assert guillotine.run(world.arguments("publish")) == 0
        yield world, guillotine
    finally:
        guillotine.close()


def _made(world: World) -> dict[str, int]:
    """How many objects of each kind the server holds for this world."""
    live = open_session(world.project, "local", [CATALOG]).view().live
    return {
        "datasets": sum(item.kind == "dataset" for item in live.artifacts),
        "configurations": len(live.configurations),
        "executions": len(live.executions),
        "applications": sum(item.name == f"{world.name}-app" for item in live.applications),
        "repositories": sum(item.name == f"{world.name}-git" for item in live.repositories),
    }


@pytest.mark.timeout(900)
def test_killed_before_any_request_and_run_again(local: Path, tmp_path: Path) -> None:
    """Every request of an apply is once the one that never arrives; the second run ends the work."""
    options = ("apply", "--yes", "--no-wait")
    once = dict.fromkeys(("datasets", "configurations", "executions", "applications", "repositories"), 1)

    def requests() -> int:
        with _published(tmp_path / "whole", local, "kill-none") as (world, guillotine):
            assert guillotine.run(world.arguments(*options)) == 0
            assert _made(world) == once
            return guillotine.passed

    def visit(spare: int) -> None:
        with _published(tmp_path / f"w{spare}", local, f"kill-{spare:03}") as (world, guillotine):
            first = guillotine.run(world.arguments(*options), spare)
            assert first in {KILLED, 0}, f"request {spare}: exit code {first}"
            assert guillotine.run(world.arguments(*options)) == 0, f"after a kill before request {spare}"
            assert _made(world) == once, f"after a kill before request {spare}"

    whole = requests()
    assert whole > 20
    with ThreadPoolExecutor(WORKERS) as pool:
        assert len(list(pool.map(visit, range(whole)))) == whole
