"""`deploy/Dockerfile`, read: what it copies is there, and what lies about is kept out of the build."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from generator.spec.environment import BaseImages

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def copied() -> set[str]:
    """Sources of all COPY lines."""
    return {
        word for line in re.findall(r"^COPY (.+)$", TEXT, flags=re.MULTILINE) for word in line.split()[:-1]
    }


def test_everything_that_is_copied_is_there() -> None:
    """And every package of the project is copied."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name.rstrip("*.") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert [path for path in copied() if not (ROOT / path).exists()] == []
    assert packages <= copied()


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    """No history, no data, and no file of secrets goes to the engine."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied()


def test_it_says_what_it_is() -> None:
    """Version and licence are those of the project, the base that of the images of executables."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', TEXT))
    assert (labels["title"], labels["version"]) == ("corespec", project["version"])
    assert labels["licenses"] == str(project["license"])
    assert f"FROM {BaseImages().cpu}\n" in TEXT
    assert f"corespec:{project['version']}" in TEXT


def test_it_runs_as_nobody_and_holds_no_secret() -> None:
    """The last user is 65534; no variable that stays has a secret's name."""
    assert re.findall(r"^USER (.+)$", TEXT, flags=re.MULTILINE)[-1] == "65534:65534"
    kept = re.findall(r"^ENV (.+)$", TEXT, flags=re.MULTILINE)
    assert not re.search(r"(?i)token|password|secret|key", " ".join(kept))
