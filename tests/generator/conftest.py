"""What the tests of the generator share: miniature projects, and Git repositories that know no user and no
network.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.catalog import Workflow, load_catalog
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import Resolved, resolve

TESTDATA = Path(__file__).parent / "testdata"


@pytest.fixture(scope="session")
def catalog() -> Mapping[str, Workflow]:
    """The built-in catalogue."""
    return load_catalog()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the meter-reading project, without its rendered files."""
    root = tmp_path / "project"
    shutil.copytree(TESTDATA / "valid" / "meter-reading", root, ignore=shutil.ignore_patterns("rendered"))
    return root


@pytest.fixture
def resolved(project: Path, catalog: Mapping[str, Workflow]) -> Resolved:
    """The meter-reading project, resolved for `local`."""
    return resolve(load_project(project, catalog), "local", catalog)


@pytest.fixture
def files(resolved: Resolved) -> dict[str, bytes]:
    """The meter-reading project, rendered for `local`."""
    return render(resolved)


@pytest.fixture
def template(files: dict[str, bytes]) -> dict[str, Any]:
    """The rendered WorkflowTemplate, free for a test to spoil."""
    return dict(yaml.safe_load(files["rendered/local/templates/digit-detection.yaml"]))


Git = Callable[..., str]


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Git:
    """Runs git in a folder, blind to this machine's configuration; `git(folder, "log")` returns what it
    printed.
    """
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "gitconfig"
    config.write_text('[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def run(folder: Path, *arguments: str) -> str:
        command = ["git", "-c", "user.name=tester", "-c", "user.email=tester@localhost", *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    return run


@pytest.fixture
def clone(git: Git, project: Path, tmp_path: Path) -> Path:
    """The project committed in a clone of a bare repository (`../remote.git`), on branch main."""
    remote = tmp_path / "remote.git"
    remote.mkdir()
    git(remote, "init", "--quiet", "--bare")
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", remote.as_uri())
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "Specs")
    git(project, "push", "--quiet", "-u", "origin", "main")
    return project
