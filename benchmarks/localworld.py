"""A project and a local AI Core in which all that it wants is there: N configurations, N completed runs.

The first configuration of every scenario goes the whole way through the API: `corespec reconcile` publishes,
uploads, registers and creates. The rows of the others, and of all executions, are put into the database, as
100,000 requests and as many trainings would take days. Nothing vouches for these rows but the plan, which has
to find nothing to do: a name or a binding that is not exactly what corespec wants would show there.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import process, projects

_PENDING = 3  # exit code of a plan that has something to do
_COUNTING = 2  # requests that asking for the count takes itself: a token, and the count
_CONFIGURATION = """
INSERT INTO configurations (
  id, resource_group, name, scenario_id, executable_id, parameters, inputs, created_at)
SELECT ?, resource_group, ?, scenario_id, executable_id, ?, inputs, created_at
FROM configurations WHERE scenario_id = ? ORDER BY seq LIMIT 1
"""
_COMPLETED = """
INSERT INTO executions (
  id, resource_group, configuration_id, configuration_name, scenario_id, executable_id, status, target_status,
  status_message, status_details, submission_time, start_time, completion_time, created_at, modified_at)
SELECT
  'e' || printf('%015x', seq), resource_group, id, name, scenario_id, executable_id, 'COMPLETED', 'COMPLETED',
  '', '{}', created_at, created_at, created_at, created_at, created_at
FROM configurations
"""


class LocalWorld:
    """Where `corespec plan` is measured; `filled` makes one."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.data = self.project / ".corespec" / "local"
        self._environment = {
            **os.environ,
            "CORESPEC_STATE_DIR": str(root / "state"),
            **{f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def plan(self, *, edited: bool = False) -> process.Cost:
        """Plan once. With nothing to do it must end with 0, and after an edit with 3."""
        return self.corespec("plan", code=_PENDING if edited else 0)

    @contextmanager
    def one_line_edited(self) -> Iterator[None]:
        """Another seed for one of the runs, as somebody would type it; undone at the end."""
        spec = min((self.project / "specs").glob("*.yaml"))
        written = spec.read_text()
        spec.write_text(written.replace("seed: 0,", "seed: 1000000,", 1))
        yield
        spec.write_text(written)

    def requests_of(self, work: Callable[[], object]) -> int:
        """Requests that the server has answered during `work`, tokens included, by its own count."""
        before = self._requests()
        work()
        return self._requests() - before - _COUNTING

    def _requests(self) -> int:
        key = json.loads((self.data / "service-key.json").read_text())
        form = {
            "grant_type": "client_credentials",
            "client_id": key["clientid"],
            "client_secret": key["clientsecret"],
        }
        body = urllib.parse.urlencode(form).encode()
        token = _json(urllib.request.Request(f"{key['url']}/oauth/token", body))["access_token"]
        place = f"{key['serviceurls']['AI_API_URL']}/_localcore/requests"
        return sum(
            _json(urllib.request.Request(place, headers={"Authorization": f"Bearer {token}"})).values()
        )

    def corespec(self, *arguments: str, code: int = 0) -> process.Cost:
        """Run a verb in the project, as a process of its own."""
        command = [sys.executable, "-m", "corespec", *arguments]
        place = ["--directory", str(self.project), "--environment", projects.ENVIRONMENT]
        return process.run([*command, *place], env=self._environment, code=code)

    def git(self, *arguments: str) -> None:
        process.run(["git", "-C", str(self.project), *arguments], env=self._environment)


@contextmanager
def filled(root: Path, count: int) -> Iterator[LocalWorld]:
    """A world of `count` configurations and completed executions; its server runs until the end."""
    from corespec import localserver

    world = LocalWorld(root)
    origin = str(root / "gitops.git")
    process.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin])
    process.run(["git", "clone", "--quiet", origin, str(world.project)])
    digits = str(world.project / "data" / "digits")
    process.run([sys.executable, "-m", "trainer", "draw-counters", digits, "--count", "10"])
    projects.write_environment(world.project)
    projects.write_runs(world.project, count, executions=False, only_first=True)
    (world.project / ".gitignore").write_text("data/\n.corespec/\n")
    world.git("add", ".")
    world.git("commit", "--quiet", "--message", "Bench")
    world.git("push", "--quiet", "origin", "HEAD:main")
    world.data.mkdir(parents=True)
    localserver.start(world.data)
    try:
        world.corespec("reconcile", "--once")
        projects.write_runs(world.project, count, executions=True)
        _fill(world)
        yield world
    finally:
        localserver.stop(world.data)


def _fill(world: LocalWorld) -> None:
    from reconciler.clock import SystemClock
    from reconciler.workbench import set_up

    wanted = set_up(world.project, projects.ENVIRONMENT, (), SystemClock()).desired.configurations
    with closing(sqlite3.connect(world.data / "localcore.db", timeout=30)) as database, database:
        there = {name for (name,) in database.execute("SELECT name FROM configurations")}
        database.executemany(
            _CONFIGURATION,
            (
                (f"{number:08x}-0000-4000-8000-000000000000", item.full_name, _bound(item), item.scenario)
                for number, item in enumerate(wanted)
                if item.full_name not in there
            ),
        )
        database.execute(_COMPLETED)


def _bound(configuration: Any) -> str:
    return json.dumps([{"key": key, "value": value} for key, value in configuration.parameters.items()])


def _json(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
