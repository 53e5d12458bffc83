"""A user's world in one folder: a bare Git repository, a clone with specs and data, an AI Core."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corespec.__main__ import main

CATALOG = Path(__file__).parent / "catalog"
WRITING = frozenset({"POST", "PATCH", "PUT", "DELETE"})

SCENARIO = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: {name}, title: Tiny, version: 0.0.1}}
executables:
  {name}-exec:
    workflow: tiny-train
    image: docker.io/acme/tiny:0.0.1
    resourcePlan: starter
datasets:
  words: {{source: data/words, path: {name}/words}}
configurations:
  baseline:
    executable: {name}-exec
    inputs: {{datain: words}}
    parameters: {{base_learning_rate: {rate}, maximum_training_steps: 10}}
executions:
  baseline: {{configuration: baseline, want: 1, retries: 0}}
"""

ENVIRONMENT = """\
apiVersion: corespec/v1
kind: Environment
metadata: {{name: local}}
aiCore: {connection}
resourceGroup: default
objectStores:
  default: {{type: directory, path: {local}/objects/default}}
git:
  url: {origin}
  branch: main
  repository: {name}-git
  application: {name}-app
  publish: direct
policy: {{maxLaunchesPerApply: 3, maxConcurrent: 2}}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON it printed."""
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


def corespec(*arguments: str | Path) -> Result:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def git(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run Git and return what it printed."""
    command = ["git", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True, slots=True)
class World:
    """One project against one server; several worlds may share a server, told apart by `name`."""

    root: Path
    local: Path
    name: str = "tiny"
    connection: str = ""
    rate: str = field(default="0.001")

    @property
    def origin(self) -> Path:
        return self.root / "origin.git"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def words(self) -> Path:
        return self.project / "data" / "words"

    @property
    def scenario(self) -> Path:
        return self.project / "specs" / "tiny.yaml"

    @property
    def environment(self) -> Path:
        return self.project / "specs" / "environments" / "local.yaml"

    def build(self) -> World:
        """Make the repository, the specs and the data, and push them."""
        git("init", "--quiet", "--bare", "--initial-branch=main", self.origin)
        git("init", "--quiet", "--initial-branch=main", self.project)
        git("remote", "add", "origin", self.origin, cwd=self.project)
        self.environment.parent.mkdir(parents=True)
        self.words.mkdir(parents=True)
        for index in range(3):
            (self.words / f"{index}.txt").write_text(f"word {index}\n")
        self.scenario.write_text(SCENARIO.format(name=self.name, rate=self.rate))
        connection = self.connection or f"{{connection: local, data: {self.local}}}"
        text = ENVIRONMENT.format(name=self.name, connection=connection, local=self.local, origin=self.origin)
        self.environment.write_text(text)
        self.push("Begin")
        return self

    def push(self, message: str) -> None:
        """Commit whatever changed in the specs and push it, as a user does after an edit."""
        git("add", "--all", "specs", cwd=self.project)
        git("commit", "--quiet", "--allow-empty", "--message", message, cwd=self.project)
        git("push", "--quiet", "origin", "main", cwd=self.project)

    def edit(self, path: Path, before: str, after: str) -> None:
        """Replace one passage of a file, which must be there."""
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def arguments(self, verb: str, *options: str) -> list[str]:
        return [verb, "-C", str(self.project), "--catalog", str(CATALOG), *options]

    def run(self, verb: str, *options: str) -> Result:
        """Run one verb on the project, with the tiny catalogue."""
        return corespec(*self.arguments(verb, *options))

    def converge(self) -> Result:
        """Render, publish and apply, and wait for the executions to end."""
        return self.run("reconcile", "--once")

    def requests(self) -> list[dict[str, Any]]:
        """Every request that the server has answered, oldest first."""
        path = self.local / "requests.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def writes(self) -> list[str]:
        """`METHOD path` of every request that could have changed something; tokens are not counted."""
        return [
            f"{request['method']} {request['path']}"
            for request in self.requests()
            if request["method"] in WRITING and "oauth" not in request["path"]
        ]


def launches(requests: Sequence[str]) -> list[str]:
    """The requests among `writes()` that started an execution."""
    return [request for request in requests if request == "POST /v2/lm/executions"]
