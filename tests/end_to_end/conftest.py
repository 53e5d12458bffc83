"""A real local AI Core for the tests of the whole: one process a module, worlds of their own on it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from corespec import localserver
from corespec.verbs import apply, reconcile
from reconciler.session import Options
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
    """Locks of tests lie in the test's own folder, and nobody dawdles between two looks at an execution."""
    monkeypatch.setenv("CORESPEC_STATE_DIR", str(tmp_path / "state"))
    for verb in (apply, reconcile):
        monkeypatch.setattr(verb, "Options", partial(Options, poll_seconds=0.1))


@pytest.fixture
def world(tmp_path: Path, local: Path, request: pytest.FixtureRequest) -> World:
    """A pushed project whose names belong to this test alone."""
    name = "t" + "".join(letter for letter in request.node.name.lower() if letter.isalnum())[-24:]
    return World(tmp_path, local, name).build()
