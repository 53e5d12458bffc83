"""Break every request, once, in every way: run again, and the end is the same, with nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ApiError, ReconcilerError
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


def test_one_object_that_fails_keeps_no_other_from_being_made(tmp_path: Path) -> None:
    """In the same apply: what needs it is left out, the rest is made, its error comes at the end."""
    world = World(tmp_path, desired([configuration(f"c{n}", {"rate": str(n)}) for n in range(3)]))
    send = world.server.post

    def post(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if str(body.get("name", "")).startswith("c1--"):
            raise ApiError("not this one (418)")
        return send(path, body)

    world.server.post = post  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="418"):
        world.apply()
    made = {run["configurationName"].partition("--")[0] for run in world.server.executions}
    assert made == {"c0", "c2"}
    world.server.post = send  # type: ignore[method-assign]
    world.apply()
    assert len(world.server.executions) == 3
