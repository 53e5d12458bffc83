"""docs/operate.md is true: its commands are run from top to bottom, and what it names exists."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from corespec.__main__ import VERBS
from reconciler.connection import connect
from reconciler.errors import AmbiguousError
from reconciler.notify import Notice
from reconciler.observability import Meters
from reconciler.session import Session
from tests.end_to_end.daemon import PATIENCE, Receiver
from tests.end_to_end.world import CATALOG, World, git, launches

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
NEEDED = ("curl", "openssl", "sed")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), flags=re.DOTALL | re.MULTILINE)


class Reader:
    """Types the commands of the page into one shell."""

    def __init__(self, world: World, environ: dict[str, str], port: int) -> None:
        self._port, self.said = str(port), list[str]()
        self._shell = subprocess.Popen(
            ["bash", "-eu"],
            cwd=world.project,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        with self._shell.stdout as stream:  # type: ignore[union-attr]
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def type(self, block: str) -> None:
        """Run a block; every command of it has to succeed."""
        assert self._shell.stdin
        self._shell.stdin.write(block.replace("8790", self._port) + "\necho '=== done'\n")
        self._shell.stdin.flush()
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                line = None
            assert line is not None, f"{block}\n{''.join(self.said[-30:])}"
            if line == "=== done\n":
                return
            self.said.append(line)

    def close(self) -> None:
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait(PATIENCE)
        self._listener.join(PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path, local: Path) -> World:
    """The reader's repository: its data is in Git, and it has a server to deploy."""
    world = World(tmp_path, local, "meters").build()
    server = (
        "  meters-server: {workflow: tiny-serve, image: docker.io/acme/tiny:0.0.1, resourcePlan: infer.s}"
    )
    world.edit(world.scenario, "datasets:\n", f"{server}\ndatasets:\n")
    git("add", "data", cwd=world.project)
    world.push("Add data and a server")
    return world


@pytest.fixture
def reader(
    project: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Reader, Receiver]]:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "corespec"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m corespec "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("CORESPEC_CATALOG", str(CATALOG))
    with Receiver() as receiver:
        environ = {
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ALERT_URL": receiver.url,
        }
        typing = Reader(project, environ, free_port())
        try:
            yield typing, receiver
        finally:
            typing.type("kill ${daemon:-$!} 2>/dev/null || true; wait")
            typing.close()


def measure(world: World, value: float) -> None:
    """Wait for the latest training and give it a figure, as its own tracker would have sent it."""
    session = Session(world.project, "local", (CATALOG,))
    aicore = connect(session.bench().environment, world.project)
    run = max(aicore.executions(world.name), key=lambda item: (item.created_at, item.id))
    for _ in session.watch([run.id], 0.1):
        pass
    labels = [{"name": "data_split", "value": "test"}]
    metric = {"name": "mAP/allClasses", "value": value, "step": 1, "labels": labels}
    with contextlib.suppress(AmbiguousError):  # the answer has no body
        aicore._pipe.patch("/lm/metrics", {"executionId": run.id, "metrics": [metric]})


@pytest.mark.timeout(280)
@pytest.mark.skipif(
    any(shutil.which(name) is None for name in NEEDED), reason="needs apt install curl openssl sed"
)
def test_the_commands_of_the_page(project: World, reader: tuple[Reader, Receiver]) -> None:
    """A daemon, a reviewed change, an alert, two rollbacks, a pause, a prune, promotions, a new password."""
    typing, receiver = reader
    (operated,) = blocks("A daemon", "yaml")
    project.environment.write_text(project.environment.read_text() + operated)
    for block in blocks("A daemon", "sh"):
        typing.type(block)
    assert len(launches(project.writes())) == 1
    measure(project, 0.7)

    for block in blocks("A reviewed pull request", "sh"):
        typing.type(block)
    assert len(launches(project.writes())) == 2
    measure(project, 0.6)

    for block in blocks("An alert", "sh"):
        typing.type(block)
    _, body = receiver.next()
    text = json.loads(body)["text"].splitlines()
    assert text[0] == "[error] local: environment/local InputError"
    assert "executions.baseline.want: must be a whole number" in text[1]

    for block in blocks("A rollback", "sh"):
        typing.type(block)
    assert len(launches(project.writes())) == 2, "what is put back has run already"
    assert "0.001" in project.scenario.read_text()

    for block in blocks("A pause", "sh"):
        typing.type(block)
    for block in blocks("Tidying up", "sh"):
        typing.type(block)
    taken = [line for line in project.writes() if line.startswith("DELETE /")]
    assert len(taken) == 1, "the run that was taken back"
    assert len(launches(project.writes())) == 2, "a pause starts nothing, before and after"

    first, second, third = blocks("A promotion", "sh")
    (served,) = blocks("A promotion", "yaml")
    with project.scenario.open("a") as spec:
        spec.write(served.replace("trainedmodels", "models"))
    typing.type(first)
    typing.type(second)
    measure(project, 0.9)
    typing.type(third)
    written = [line.split("/")[0] for line in project.writes() if "/deployments" in line]
    assert written == ["POST ", "PATCH "], "one server, one URL"

    (kept,) = blocks("A rotated password", "yaml")
    project.environment.write_text(project.environment.read_text() + kept)
    given, rotated = blocks("A rotated password", "sh")
    typing.type(given)
    before = len(typing.said)
    typing.type(rotated)
    assert "why: secret values changed (hash differs)" in "".join(typing.said[before:])
    sent = [line for line in project.writes() if "/admin/secrets" in line]
    assert [line.split()[0] for line in sent] == ["POST", "PATCH"]

    (asked,) = blocks("Where a model comes from", "sh")
    typing.type(asked)
    predicate = json.loads((project.root / "provenance.json").read_text())["predicate"]
    assert predicate["corespec_metrics"] == {"test": {"mAP/allClasses": 0.9}}
    assert predicate["corespec_unknown"] == []

    for block in blocks("The end", "sh"):
        typing.type(block)
    assert receiver.empty, "one message for one failure"
    log = (project.root / "daemon.log").read_text()
    assert " stopped" in log.splitlines()[-1]
    assert "T0KEN" not in log


def test_every_verb_file_and_link_of_the_page_exists() -> None:
    assert set(re.findall(r"`corespec ([a-z]+)", PAGE)) <= set(VERBS)
    for path in re.findall(r"`(deploy/[^`]+)`", PAGE):
        assert (ROOT / path).is_file(), path
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target


def test_the_figures_of_the_page_are_those_that_are_served() -> None:
    """In the table, and in the rules for Prometheus."""
    served = set(re.findall(r"^# TYPE (\S+)", Meters().text(), flags=re.MULTILINE))
    table = PAGE.split("| figure | |\n")[1].split("\n\n")[0]
    assert set(re.findall(r"`(corespec_\w+)", table)) == served
    (rules,) = blocks("An alert", "yaml")
    used = {name for rule in yaml.safe_load(rules)["groups"][0]["rules"] for name in words(rule["expr"])}
    assert used <= served


def words(expression: str) -> list[str]:
    return re.findall(r"corespec_\w+", expression)


def test_the_message_of_the_page_has_the_fields_of_a_message() -> None:
    (shown,) = blocks("Reference", "json")
    assert list(json.loads(shown)) == [
        "format_version",
        *("environment", "object", "severity", "reason", "message", "revision", "timestamp"),
    ]
    assert set(json.loads(shown)) - {"format_version"} == set(Notice.__dataclass_fields__)


def test_the_secrets_of_the_deployment_are_those_of_the_page() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "deployment.yaml").read_text()
    row = next(line for line in PAGE.splitlines() if line.startswith("| Kubernetes |"))
    assert set(re.findall(r"secretKeyRef: \{[^}]*key: ([a-z-]+)", text)) == set(
        re.findall(r"`([a-z]+-[a-z]+)`", row)
    )
