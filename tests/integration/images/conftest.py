"""Real parts for the tests of images: a Docker engine, two registries, and what pip needs inside a build.

`.ci/run` starts the parts and sets the variables; a part that is absent skips its tests with the command that
brings it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from generator.images.engine import connect
from generator.images.pin import FOLDER
from generator.images.registry import Credentials
from generator.images.requirements import parse_lock

START = "bash tests/integration/{0}.sh start DIR && . DIR/env"


@dataclass(frozen=True)
class Registries:
    """Addresses (host:port) of a registry that is open and of one that demands a password."""

    open: str
    locked: str
    username: str
    password: str = field(repr=False)

    @property
    def credentials(self) -> Credentials:
        """Of the registry that demands them."""
        return Credentials(self.username, self.password)


@dataclass(frozen=True)
class Packages:
    """What a build needs to install packages on this machine: options of `corespec image build`."""

    wheels: Path | None
    arguments: Mapping[str, str]

    @property
    def options(self) -> list[str]:
        """The same as words of a command line."""
        words = [f"--build-arg={name}={value}" for name, value in self.arguments.items()]
        return [*words, f"--wheels={self.wheels}"] if self.wheels else words


@pytest.fixture(scope="session")
def engine() -> Any:
    """A real Docker engine: a `docker.APIClient`."""
    if "CORESPEC_DOCKER" not in os.environ:
        pytest.skip(
            "needs a Docker engine: apt-get install -y --no-install-recommends docker.io debootstrap && "
            + START.format("docker_engine")
        )
    return connect()


@pytest.fixture(scope="session")
def registries() -> Registries:
    """Two real registries on loopback."""
    names = ("", "_AUTH", "_USER", "_PASSWORD")
    values = [os.environ.get(f"CORESPEC_REGISTRY{name}", "") for name in names]
    if not all(values):
        pytest.skip(
            "needs registries: apt-get install -y --no-install-recommends docker-registry apache2-utils && "
            + START.format("registries")
        )
    return Registries(*values)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """This machine's own pip settings, as far as they mean something inside a container.

    Folders of wheels do not exist there: the one wheel that is on no public index, torch for CPUs, is handed
    in from such a folder.
    """
    settings = _pip_settings()
    arguments = {
        f"PIP_{name.upper().replace('-', '_')}": value
        for name in ("index-url", "extra-index-url")
        if (value := " ".join(word for word in settings.get(name, []) if word.startswith("http")))
    }
    if "TORCH_INDEX_URL" in os.environ:
        arguments["TORCH_INDEX_URL"] = os.environ["TORCH_INDEX_URL"]
    (torch,) = [pin for pin in parse_lock((FOLDER / "training-cpu.txt").read_text()) if pin.name == "torch"]
    places = [Path(word.removeprefix("file://")) for word in settings.get("find-links", [])]
    found = [
        wheel for place in places if place.is_dir() for wheel in place.glob(f"torch-{torch.version}-*.whl")
    ]
    if not found:
        return Packages(None, arguments)
    folder = tmp_path_factory.mktemp("wheels")
    (folder / found[0].name).symlink_to(found[0].resolve())
    return Packages(folder, arguments)


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither credentials nor settings of this machine's user; and no credentials may be left behind."""
    folder = tmp_path_factory.mktemp("docker-config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(folder))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        yield
    assert list(folder.iterdir()) == []


def _pip_settings() -> dict[str, list[str]]:
    """Settings of pip by name, from its files and from the environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(re.split(r"[.:]", name)[-1], []).extend(" ".join(shlex.split(value)).split())
    return found
