"""What a crash, a restart and a shutdown leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ai_core_sdk.models import Status

GATED = "echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; python -c '{push}'; echo ended"
PUSH = (
    "import datetime; from ai_core_sdk.models import Metric; from ai_core_sdk.tracking import Tracking;"
    ' Tracking().log_metrics([Metric("loss", 0.5, datetime.datetime.now(datetime.timezone.utc), 1)])'
)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def running(own_core: Any, own_gitops: Any, support: Any, gate: Path) -> str:
    """An execution that runs until the gate opens, pushes one metric and ends."""
    line = GATED.format(gate=gate, push=PUSH)
    own_gitops.write("templates/gated.yaml", support.template("gated", [support.shell("main", line)]))
    own_core.start()
    own_core.sync(own_gitops)
    identifier: str = own_core.execute("gated")
    own_core.reaches(identifier, Status.RUNNING)
    support.wait_for(lambda: own_core.lines(identifier) == ["begun"], what="the container's first line")
    return identifier


def test_killed_server_loses_nothing(own_core: Any, running: str, gate: Path, support: Any) -> None:
    """Proves.

    Kill -9 during an execution, start again: same address and token, COMPLETED, log and metrics whole, no
    orphan.
    """
    url, client = own_core.url, own_core.client()
    client.scenario.query()
    own_core.kill()
    assert support.processes_of(running), "the execution goes on without its server"
    own_core.start()
    assert own_core.url == url
    assert client.execution.get(running).status == Status.RUNNING, "the token of before still counts"
    gate.touch()
    assert own_core.finished(running).status == Status.COMPLETED
    assert own_core.lines(running) == ["begun", "ended"]
    assert len(client.metrics.query(execution_ids=[running]).resources[0].metrics) == 1
    assert support.processes_of(running) == []


def test_killed_server_and_supervisor(own_core: Any, running: str, support: Any) -> None:
    """Proves: the same when both die, as in a crash of the machine's memory: the next server cleans up."""
    state = json.loads((own_core.data / "executions" / running / "state.json").read_text())
    own_core.kill()
    os.kill(state["pid"], signal.SIGKILL)
    assert support.processes_of(running)
    own_core.start()
    assert own_core.finished(running).status == Status.DEAD
    assert support.processes_of(running) == []


def test_retries_survive_the_server(own_core: Any, own_gitops: Any, support: Any, gate: Path) -> None:
    """Proves: kill -9 between two attempts; the next one begins without any server and its end is found."""
    line = f"test -e {gate} || {{ echo missing; exit 1; }}"
    strategy = {"limit": 1000, "backoff": {"duration": "50ms"}}
    own_gitops.write(
        "templates/tough.yaml",
        support.template("tough", [support.shell("main", line, retryStrategy=strategy)]),
    )
    own_core.start()
    own_core.sync(own_gitops)
    identifier: str = own_core.execute("tough")
    support.wait_for(lambda: "missing" in own_core.lines(identifier), what="a first attempt")
    own_core.kill()
    state = own_core.data / "executions" / identifier / "state.json"
    before = len(json.loads(state.read_text())["nodes"])
    support.wait_for(lambda: len(json.loads(state.read_text())["nodes"]) > before, what="a further attempt")
    gate.touch()
    own_core.start()
    found = own_core.finished(identifier)
    assert found.status == Status.COMPLETED
    assert found.status_details["nodes"][0]["message"].startswith("succeeded at retry ")


def test_shutdown_stops_what_runs(own_core: Any, running: str, support: Any) -> None:
    """Proves.

    SIGTERM to the server ends running executions as DEAD with the reason and leaves no file that says it
    runs.
    """
    assert own_core.terminate() == 0
    assert support.processes_of(running) == []
    assert not (own_core.data / "localcore.pid").exists()
    own_core.start()
    found = own_core.client().execution.get(running)
    assert found.status == Status.DEAD
    assert "shut down" in found.status_message


def test_one_at_a_time_in_order(own_core: Any, running: str, gate: Path) -> None:
    """Proves.

    With one place the next execution is PENDING, is started in its turn, and can be stopped while it waits.
    """
    second, third = own_core.execute("gated"), own_core.execute("gated")
    for identifier in (second, third):
        own_core.reaches(identifier, Status.PENDING)
    client = own_core.client()
    assert (
        own_core.http("PATCH", f"/v2/lm/executions/{second}", json={"targetStatus": "STOPPED"}).status_code
        == 202
    )
    own_core.reaches(second, Status.STOPPED)
    assert client.execution.get(running).status == Status.RUNNING
    gate.touch()
    assert own_core.finished(third).status == Status.COMPLETED
    assert client.execution.get(second).start_time is None


def _start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localcore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _start("--data", str(tmp_path / "data"), "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_shutdown_can_leave_it_running(own_core: Any, own_gitops: Any, support: Any, gate: Path) -> None:
    """Proves: with --keep-running it goes on, ends while nobody looks, and the next server finds how."""
    own_core.options = (*own_core.options, "--keep-running")
    line = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    own_gitops.write("templates/kept.yaml", support.template("kept", [support.shell("main", line)]))
    own_core.start()
    own_core.sync(own_gitops)
    identifier = own_core.execute("kept")
    support.wait_for(lambda: support.processes_of(identifier), what="the container")
    own_core.terminate()
    assert support.processes_of(identifier)
    gate.touch()
    support.wait_for(lambda: not support.processes_of(identifier), what="the end of the container")
    own_core.start()
    assert own_core.finished(identifier).status == Status.COMPLETED


def test_killed_supervisor_leaves_no_orphan(core: Any, gitops: Any, support: Any) -> None:
    """Proves.

    When the supervisor dies its containers are killed and the execution is DEAD with the reason.
    """
    gitops.write("templates/long.yaml", support.template("long", [support.shell("main", "sleep 300")]))
    core.sync(gitops)
    identifier = core.execute("long")
    support.wait_for(lambda: support.processes_of(identifier), what="the container")
    state = json.loads((core.data / "executions" / identifier / "state.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    found = core.finished(identifier)
    assert found.status == Status.DEAD
    assert "supervisor" in found.status_message
    assert support.processes_of(identifier) == []


def test_what_escapes_is_found(core: Any, gitops: Any, support: Any) -> None:
    """Proves: a process that made its own session and outlived its container is killed with it."""
    line = "setsid sleep 300 >/dev/null 2>&1 & echo started"
    gitops.write("templates/daemon.yaml", support.template("daemon", [support.shell("main", line)]))
    core.sync(gitops)
    found = core.finished(core.execute("daemon"))
    assert found.status == Status.COMPLETED
    assert support.processes_of(found.id) == []


def test_files_of_a_running_server(core: Any) -> None:
    """Proves: the promised files, their contents and modes.

    A second server on the folder is refused in one line.
    """
    record = json.loads((core.data / "localcore.pid").read_text())
    assert record["pid"] == core.process.pid
    assert record["url"] == core.url == f"http://127.0.0.1:{record['port']}"
    assert (core.data / "service-key.json").stat().st_mode & 0o777 == 0o600
    assert (core.data / "localcore.db").stat().st_mode & 0o077 == 0
    assert (core.data / "objects" / "default").is_dir()
    assert set(core.key) >= {"clientid", "clientsecret", "url", "serviceurls"}
    done = _start("--data", str(core.data))
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"localcore: a local AI Core is already running on {core.data} at {core.url}"
    )
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--max-running=0", "--grace=-1", "--sync-interval=nan", "--port=x"])
def test_bad_options(tmp_path: Path, option: str) -> None:
    done = _start("--data", str(tmp_path / "data"), option)
    assert done.returncode == 2
    assert option.partition("=")[0] in done.stderr
    assert not (tmp_path / "data").exists()
