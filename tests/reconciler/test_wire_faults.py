"""Real faults on a real connection, through the unmodified SDK, and a reconciler that is really killed."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import connection
from reconciler.exitcode import ExitCode
from reconciler.live import Execution
from tests.reconciler.project import LAUNCH_ONLY, QUICK, Project
from tests.reconciler.proxy import BREAKS, Broken, Proxy

pytestmark = pytest.mark.long

_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["tests.reconciler.project"])


@pytest.mark.parametrize("name", BREAKS)
def test_every_request_breaks_once_and_nothing_is_done_twice(
    project: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each kind of request (method and collection) fails the first time it is sent; one apply still
    converges.
    """
    monkeypatch.setattr(connection, "_READ_SECONDS", 0.5)
    seen: set[str] = set()

    def once(index: int, request: str) -> Broken | None:
        if request in seen:
            return None
        seen.add(request)
        return BREAKS[name]

    proxy.decide = once
    result = project.session().apply(QUICK)
    assert result is not None
    assert result.exit_code is ExitCode.CONVERGED
    proxy.decide = lambda index, request: None
    assert_single(project)
    before = list(proxy.writes)
    project.session().apply(QUICK)
    assert proxy.writes == before


def test_a_server_that_stays_broken_fails_clearly(project: Project, proxy: Proxy) -> None:
    """Reads are repeated a few times, then the verb ends with exit code 1 and what to do; nothing is
    written.
    """
    from reconciler.errors import TransientError

    proxy.decide = lambda index, request: BREAKS["503"]
    with pytest.raises(TransientError) as raised:
        project.session().apply(QUICK)
    assert raised.value.exit_code == 1
    assert raised.value.remedy
    assert proxy.writes == []


def test_killed_between_any_two_requests(
    new_project: Callable[[], Project], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL after the server has acted on request N and before the client hears of it, for every N of an
    apply.

    Run again, the end is the same and nothing exists twice. The walk ends when an apply gets through alive.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # the fork server imports by it
    walked = 0
    for index in range(60):
        project = new_project()
        if _apply_until_killed(project, proxy, index) == 0:
            break
        walked += 1
        result = project.session().apply(LAUNCH_ONLY)
        assert result is not None
        assert result.exit_code is ExitCode.CONVERGED, index
        assert_single(project)
    assert walked >= 12


def _apply_until_killed(project: Project, proxy: Proxy, index: int) -> int:
    """Apply in a process of its own, which is killed at the request of that index; its exit code, 0 if it
    lived.
    """
    child = _SPAWN.Process(target=_apply, args=(project, os.environ.get("CORESPEC_STATE_DIR")))
    first = len(proxy.requests)

    def kill(number: int) -> None:
        sent = proxy.requests[first : number + 1]
        # A poll that repeats the request before it is the same place in the apply, however often it is sent.
        place = sum(one != other for one, other in itertools.pairwise(sent))
        if place == index and child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)

    proxy.after = kill
    child.start()
    child.join(60)
    proxy.after = lambda number: None
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode


def _apply(project: Project, state: str | None) -> None:
    project.session().apply(LAUNCH_ONLY)


def assert_single(project: Project) -> None:
    """One artifact, one configuration and one execution of each, whatever happened."""
    session = project.session()
    bench = session.bench()
    reader = connection.connect_readonly(bench.environment, project.clone)
    runs: tuple[Execution, ...] = session.executions()
    assert list(Counter(run.configuration_name for run in runs).values()) == [1]
    assert len({c.name for c in session.configurations()}) == len(session.configurations()) == 1
    assert len([a for a in reader.artifacts(project.name) if a.kind == "dataset"]) == 1
    assert not list(Path(project.data / "objects" / "default").glob(f"{project.name}/**/.*"))
