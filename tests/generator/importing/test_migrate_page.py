"""docs/migrate.md is true: its five commands are run, and what it says of verbs, keys and defaults is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from corespec.__main__ import VERBS
from generator.catalog import load_catalog
from generator.importing.oldpackage import changed_defaults
from tests.generator.importing.moving import config

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "migrate.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)[0].splitlines()


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a new user: this corespec on PATH, a name for Git, and nothing of this machine."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "corespec"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m corespec "$@"\n')
    command.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\n\tname = Kim\n\temail = kim@localhost\n[init]\n\tdefaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}


def test_five_commands_lead_to_a_pull_request(tmp_path: Path, shell: dict[str, str]) -> None:
    """From the old config to a pushed branch with spec and templates on it; `main` stays as it was."""
    assert len(COMMANDS) == 5
    remote, clone = tmp_path / "gitops.git", tmp_path / "gitops"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    (clone / "README.md").write_text("Our templates\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Begin")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    (tmp_path / "workflow_config.yaml").write_text(config())
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-ec", command], cwd=clone, env=shell, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    branches = git(remote, "for-each-ref", "--format=%(refname:short)").split()
    (topic,) = [name for name in branches if name != "main"]
    assert topic.startswith("corespec/")
    assert git(remote, "log", "--format=%s", "main") == "Begin\n"
    assert len(git(remote, "rev-list", f"main..{topic}").split()) == 2
    name = "sap-cv-package-tutorial-obj-detection-train"
    rendered = yaml.safe_load(git(remote, "show", f"{topic}:rendered/local/templates/{name}.yaml"))
    assert rendered["metadata"]["name"] == name
    assert "kind: Scenario" in git(remote, "show", f"{topic}:specs/sap-cv-package-tutorial.yaml")
    assert (clone / "README.md").read_text() == "Our templates\n"


def test_every_verb_of_the_page_exists() -> None:
    """A page that outlives a verb is found out."""
    named = set(re.findall(r"(?:^|`)corespec ([a-z]+)\b", PAGE, flags=re.MULTILINE))
    assert {"import", "catalog", "image", "publish", "apply", "metrics"} <= named
    assert named <= set(VERBS)


@pytest.mark.parametrize(
    "line", sorted(set(re.findall(r"`corespec ((?:catalog|image) [a-z]+|[a-z]+) (--[a-z-]+)", PAGE)))
)
def test_every_option_of_the_page_exists(line: tuple[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "corespec", *line[0].split(), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert line[1] in done.stdout


@pytest.mark.parametrize("command", ["list", "show", "examples", "create-image", "create-template"])
def test_every_command_of_the_old_package_has_its_row(command: str) -> None:
    assert f"| `aicore-content {command}" in PAGE


@pytest.mark.parametrize("key", ["objectStoreSecret", ".contentPackage", "additionalOptions"])
def test_what_the_program_drops_is_on_the_page(key: str) -> None:
    part = PAGE[PAGE.index("## What is not carried") :]
    assert f"| `{key}` |" in part


def test_every_default_that_differs_is_on_the_page() -> None:
    part = PAGE[PAGE.index("## What changes on purpose") : PAGE.index("## What is not carried")]
    differing = {name for workflow in load_catalog().values() for name in changed_defaults(workflow)}
    assert set(re.findall(r"^\| default of `(\w+)`", part, flags=re.MULTILINE)) == differing


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target
