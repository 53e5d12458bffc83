"""A plan over thousands of runs: requests grow with the pages, never with the objects; an edit costs none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from generator.spec.operations import Policy
from reconciler import aicore
from reconciler.desired import DesiredConfiguration
from reconciler.plan_model import Action
from tests.reconciler.builders import World, configuration, desired

#: Small enough for a test, and more than one page of each kind.
PAGE = 500
PAGES = 7
COUNT = (PAGES - 1) * PAGE + 1
FEW = 30


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """Pages that a test can fill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aicore, "PAGE", PAGE)
        yield


def _wanted(count: int) -> list[DesiredConfiguration]:
    return [configuration(f"run-{number:05}", {"rate": str(number)}) for number in range(count)]


def _with_runs(root: Path, wanted: Iterable[DesiredConfiguration]) -> World:
    """A world in which every wanted configuration is there and has completed once."""
    made = list(wanted)
    world = World(root, desired(made[:1]))
    world.apply()
    world.server.finish()
    (first,), (run,) = world.server.configurations, world.server.executions
    for number, item in enumerate(made[1:], start=1):
        bindings = [{"key": key, "value": value} for key, value in item.parameters.items()]
        extra = {"id": f"c{number}", "name": item.full_name, "parameterBindings": bindings}
        world.server.configurations.append({**first, **extra})
        names = {"configurationId": extra["id"], "configurationName": item.full_name}
        world.server.executions.append({**run, "id": f"e{number}", **names})
    world.want = desired(made)
    world.policy = Policy(max_launches_per_apply=9, max_concurrent=9)
    return world


@pytest.fixture(scope="module")
def world(small_pages: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    return _with_runs(tmp_path_factory.mktemp("scale"), _wanted(COUNT))


def _requests(world: World) -> list[str]:
    world.server.requests.clear()
    world.observe()
    return sorted(world.server.requests)


def test_requests_grow_with_the_pages(world: World, tmp_path: Path) -> None:
    """Configurations and executions come page by page; everything else is asked as for a few runs."""
    small, large = _requests(_with_runs(tmp_path, _wanted(FEW))), _requests(world)
    assert len(large) - len(small) == 2 * (PAGES - 1)
    assert set(large) == set(small)
    assert large.count("GET /lm/configurations") == large.count("GET /lm/executions") == PAGES


def test_an_edit_of_one_line_among_thousands_is_one_change_and_no_request_more(world: World) -> None:
    """The others are left as they are."""
    assert world.plan().empty
    before = _requests(world)
    wanted = [*_wanted(COUNT)[1:], configuration("run-00000", {"rate": "0.5"})]
    edited = World(world.root, desired(wanted), world.policy, world.server, world.git)
    edited.server.head = edited.git.head
    assert _requests(edited) == before
    made = edited.plan()
    assert [(change.action, change.address) for change in made.changes] == [
        (Action.CREATE, "configuration/meters/run-00000"),
        (Action.LAUNCH, "execution/meters/run-00000"),
    ]
    assert [change.name.partition("--")[0] for change in made.retired] == ["run-00000"]


def test_thousands_of_edits_ask_git_for_each_revision_once(world: World) -> None:
    """One changed template makes every configuration new: its history is not read again for each."""
    reads: list[tuple[str, str]] = []
    wanted = [configuration(f"run-{number:05}", {"rate": f"0.{number}"}) for number in range(COUNT)]
    edited = World(world.root, desired(wanted), world.policy, world.server, world.git)
    edited.server.head = edited.git.head
    real = edited.git.read

    def read(revision: str, path: str) -> bytes | None:
        reads.append((revision, path))
        return real(revision, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edited.git, "read", read)
        made = edited.plan()
    assert sum(change.action is Action.CREATE for change in made.changes) == COUNT
    assert all(change.fields for change in made.changes if change.action is Action.CREATE)
    assert len(reads) <= len(set(reads)) + len(edited.want.templates)
