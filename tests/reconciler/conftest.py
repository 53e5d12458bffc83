"""A real local AI Core for this folder's tests, as a process of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reconciler.project import Project
from tests.reconciler.proxy import Proxy

_START_SECONDS = 60
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running local AI Core."""
    pytest.importorskip("fastapi", reason="needs the local AI Core: pip install 'corespec[local]'")
    data = tmp_path_factory.mktemp("localcore")
    command = [sys.executable, "-m", "localcore", "--data", str(data), "--port", "0", "--max-running", "4"]
    with (data.parent / "localcore.err").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    try:
        # Its one line on stdout is written when it listens; the first request waits until it answers.
        assert process.stdout.readline(), (data.parent / "localcore.err").read_text()
        urllib.request.urlopen(f"{server_url(data)}/ready", timeout=_START_SECONDS).close()
        yield data
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def server_url(data: Path) -> str:
    """Where it listens, from its service key."""
    return str(json.loads((data / "service-key.json").read_text())["serviceurls"]["AI_API_URL"]).rstrip("/")


@pytest.fixture
def proxy(local: Path) -> Iterator[Proxy]:
    relay = Proxy(server_url(local))
    yield relay
    relay.close()


@pytest.fixture
def new_project(tmp_path: Path, local: Path, proxy: Proxy) -> Callable[[], Project]:
    """Makes pushed and published projects that share nothing but the server."""

    def make() -> Project:
        name = f"r{next(_numbers)}-{tmp_path.name.lower()[-12:].strip('-_').replace('_', '-')}"
        return Project(tmp_path / name, name, local).build(proxy.url).publish()

    return make


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()
