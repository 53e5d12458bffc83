"""A real local AI Core for the tests of the whole: one process a module, worlds of their own on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from corespec import localserver
from tests.end_to_end.world import World


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running local AI Core."""
    data = tmp_path_factory.mktemp("local")
    localserver.start(data)
    yield data
    localserver.stop(data)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of tests lie in the test's own folder."""
    monkeypatch.setenv("CORESPEC_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def world(tmp_path: Path, local: Path, request: pytest.FixtureRequest) -> World:
    """A pushed project whose names belong to this test alone."""
    name = "t" + "".join(letter for letter in request.node.name.lower() if letter.isalnum())[-24:]
    return World(tmp_path, local, name).build()
