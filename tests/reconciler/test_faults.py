"""Break every request, once, in every way: run again, and the end is the same, with nothing twice."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError
from tests.reconciler.builders import World, at_rest, configuration, desired
from tests.reconciler.fake import FAULTS, KilledError


def _world(root: Path) -> World:
    return World(root, desired([configuration(f"c{n}", {"rate": str(n)}) for n in range(2)]))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, object]:
    """How many requests an undisturbed apply makes, and what it leaves."""
    world = _world(tmp_path_factory.mktemp("unbroken"))
    world.apply()
    requests = len(world.server.requests)
    world.server.finish()
    return requests, at_rest(world)


@pytest.mark.parametrize("name", FAULTS)
def test_any_fault_at_any_request_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, unbroken: tuple[int, object], name: str
) -> None:
    """The whole walk over all request indexes; a second apply repairs what the first left undone."""
    requests, expected = unbroken
    for index in range(requests):
        world = _world(tmp_path_factory.mktemp("broken"))
        world.server.fault, world.server.fault_at = FAULTS[name], index
        with contextlib.suppress(KilledError, ReconcilerError):
            world.apply()
        world.server.fault = None
        world.apply()
        assert world.plan().empty, (name, index)
        world.server.finish()
        assert at_rest(world) == expected, (name, index)
        before = list(world.server.writes)
        world.apply()
        assert world.server.writes == before, (name, index)


@pytest.mark.parametrize("name", [name for name in FAULTS if not name.startswith("killed")])
def test_one_fault_is_survived_without_a_second_apply(tmp_path: Path, name: str) -> None:
    """A create whose answer is lost is looked for, then repeated only if it is absent."""
    world = _world(tmp_path)
    creates = [0]

    class Once:
        """Breaks the first launch only."""

        def post(self, path: str, body: dict[str, str]) -> object:
            if path == "/lm/executions" and not creates[0]:
                creates[0] = 1
                if FAULTS[name].acted:
                    world.server.post(path, body)
                raise FAULTS[name].error()
            return world.server.post(path, body)

        def __getattr__(self, attribute: str) -> object:
            return getattr(world.server, attribute)

    world.aicore._pipe = Once()  # type: ignore[assignment]
    world.apply()
    assert creates == [1]
    assert len(world.server.executions) == 2
    assert world.plan().empty


def test_a_lost_answer_waits_before_it_looks(tmp_path: Path) -> None:
    """A slow server may still be writing: looking at once would miss it and create twice."""
    world = _world(tmp_path)
    world.apply()
    world.change(desired([configuration("c9", {"rate": "9"})]))
    world.server.fault = FAULTS["timeout before the server acted"]
    live_requests = len(world.server.requests)
    world.plan()
    plan_requests = len(world.server.requests) - live_requests
    world.server.fault_at = len(world.server.requests) + plan_requests
    world.server.clock.slept.clear()
    world.apply()
    assert sum(world.server.clock.slept) >= 4
