"""The CI files in deploy/ci/: their structure is safe, and their very commands are run on a project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.init import STARTER, init_project
from generator.version import tool_version
from tests.integration.git_http import git

ROOT = Path(__file__).parents[2]
CI = ROOT / "deploy" / "ci"
GATE = ["corespec validate", "corespec lint rendered/*/templates", "corespec render --check"]


@pytest.fixture(scope="module")
def github() -> dict[str, Any]:
    return dict(yaml.load((CI / "github/corespec.yaml").read_text(), yaml.BaseLoader))


@pytest.fixture(scope="module")
def gitlab() -> dict[str, Any]:
    return dict(yaml.safe_load((CI / "gitlab/corespec.gitlab-ci.yml").read_text()))


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def jobs(pipeline: dict[str, Any]) -> dict[str, Any]:
    return {name: job for name, job in pipeline.items() if name.startswith("corespec:")}


def test_github_rights_are_the_least(github: dict[str, Any]) -> None:
    """None by default; one job may write, and it holds no secret, and the one with secrets may not write."""
    assert github["permissions"] == {}
    rights = {name: job["permissions"] for name, job in github["jobs"].items()}
    assert rights["check"] == rights["plan"] == {"contents": "read"}
    assert rights["comment"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in github["on"]
    for name, job in github["jobs"].items():
        assert ("secrets." in yaml.dump(job)) is (name == "plan")
    assert github["jobs"]["plan"]["environment"] == "corespec-plan"


def test_github_forks_get_neither_secrets_nor_comments(github: dict[str, Any]) -> None:
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    for name in ("plan", "comment"):
        assert same in github["jobs"][name]["if"]
    assert "if" not in github["jobs"]["check"]


def test_github_actions_are_pinned_and_jobs_end(github: dict[str, Any]) -> None:
    """By commit, with the release beside it; a time limit for each job; one run for each pull request."""
    text = (CI / "github/corespec.yaml").read_text()
    assert re.findall(r"uses: (?!actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n).*", text) == []
    assert all(int(job["timeout-minutes"]) <= 15 for job in github["jobs"].values())
    assert github["concurrency"]["cancel-in-progress"]
    assert "pull_request.number" in github["concurrency"]["group"]


def test_no_untrusted_text_gets_into_a_shell_line(github: dict[str, Any], gitlab: dict[str, Any]) -> None:
    """Expressions stand in `env`, never in `run`; titles, branch names and messages are used nowhere."""
    assert not any("${{" in step.get("run", "") for step in steps(github))
    text = yaml.dump(github) + yaml.dump(gitlab)
    assert not re.search(
        r"(title|body|head_ref|head\.ref|commit_message|_TITLE|_DESCRIPTION|REF_NAME|_MESSAGE)", text
    )


def test_github_keeps_no_token_where_code_of_a_pull_request_runs(github: dict[str, Any]) -> None:
    """The comment's script comes from the base branch; a kept token can only read."""
    for name, job in github["jobs"].items():
        (checkout,) = [step for step in job["steps"] if "checkout@" in step.get("uses", "")]
        assert (checkout["with"].get("persist-credentials") == "false") is (name != "plan")
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_every_shell_piece_is_bash(github: dict[str, Any], gitlab: dict[str, Any]) -> None:
    pieces = [step["run"] for step in steps(github) if "run" in step]
    pieces += ["\n".join(job["script"]) for job in jobs(gitlab).values()]
    for piece in pieces:
        subprocess.run(["bash", "-n"], input=piece, text=True, check=True)


def test_gitlab_jobs_end_and_run_only_where_they_may(gitlab: dict[str, Any]) -> None:
    """Secrets only for branches of this project; one comment at a time; a limit for each job."""
    same = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"
    for name, job in jobs(gitlab).items():
        assert job["extends"] == ".corespec"
        conditions = [rule["if"] for rule in job["rules"]]
        assert all("merge_request_event" in text or "DEFAULT_BRANCH" in text for text in conditions)
        assert all(same in text for text in conditions) is (name in {"corespec:plan", "corespec:comment"})
    assert "timeout" in gitlab[".corespec"]
    assert "slim" not in gitlab[".corespec"]["image"]  # there git is missing
    assert gitlab["corespec:comment"]["resource_group"].endswith("$CI_MERGE_REQUEST_IID")
    assert gitlab["corespec:plan"]["environment"]["name"] == "corespec-plan"


def test_the_release_that_is_installed_is_this_one(github: dict[str, Any], gitlab: dict[str, Any]) -> None:
    """Changed together with the version in pyproject.toml."""
    pins = github["env"]["CORESPEC_VERSION"], gitlab[".corespec"]["variables"]["CORESPEC_VERSION"]
    assert set(pins) == {tool_version()}


def test_both_platforms_and_the_starter_run_the_same_gate(
    github: dict[str, Any], gitlab: dict[str, Any], tmp_path: Path
) -> None:
    """Whoever moves from what `corespec init` writes to deploy/ci/ gets more, and nothing else."""
    full = [step["run"] for step in github["jobs"]["check"]["steps"] if "run" in step]
    assert full[1:4] == GATE == gitlab["corespec:check"]["script"]
    init_project(tmp_path, "bottle-caps")
    starter = yaml.safe_load((tmp_path / ".github/workflows/corespec.yaml").read_text())
    short = [step["run"] for step in starter["jobs"]["check"]["steps"] if "run" in step]
    assert short[1:4] == GATE
    assert short[4].startswith("corespec diff --base HEAD^1 --output markdown")
    assert "corespec diff --base HEAD^1 --output markdown" in full[4]
    assert yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())["corespec"]["script"][1:] == GATE
    uses = {step["uses"] for step in steps(starter) if "uses" in step}
    assert uses < {step["uses"] for step in steps(github) if "uses" in step}
    assert (STARTER / "github.yaml.j2").read_text().count("\n") < 40


@pytest.fixture
def merge(tmp_path: Path) -> Path:
    """A checkout as CI has it: the merge commit of a pull request that trains longer, on a detached HEAD."""
    root = tmp_path / "project"
    root.mkdir()
    init_project(root, "bottle-caps")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "remote", "add", "origin", str(root))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin")
    git(root, "switch", "--quiet", "-c", "feature")
    (spec,) = root.glob("specs/*.yaml")
    spec.write_text(spec.read_text().replace("image: ", "title: Caps, seen\n    image: ", 1))
    assert shell(root, "corespec render").returncode == 0
    git(root, "commit", "--quiet", "-am", "Name the caps")
    git(root, "switch", "--quiet", "--detach", "main")
    git(root, "merge", "--quiet", "--no-ff", "-m", "Merge", "feature")
    return root


def shell(root: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as both platforms do: bash, ended by the first failure."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **variables}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=root, env=environment, capture_output=True, text=True
    )


def test_the_steps_of_github_pass_and_write_the_diff(
    github: dict[str, Any], merge: Path, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    for step in github["jobs"]["check"]["steps"][3:]:
        if "run" in step:
            done = shell(merge, step["run"], GITHUB_STEP_SUMMARY=str(summary))
            assert done.returncode == 0, done.stderr
    assert "1 file changed" in summary.read_text()
    assert summary.read_text() == (merge / "report/diff.md").read_text()


def test_the_steps_of_gitlab_pass_and_write_the_diff(gitlab: dict[str, Any], merge: Path) -> None:
    base = git(merge, "rev-parse", "main")
    for name in ("corespec:check", "corespec:diff"):
        done = shell(merge, "\n".join(gitlab[name]["script"]), CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
        assert done.returncode == 0, done.stderr
    assert "1 file changed" in (merge / "report/diff.md").read_text()


def test_a_stale_rendered_folder_fails_the_gate(github: dict[str, Any], merge: Path) -> None:
    """With the code and the words of `render --check`."""
    (spec,) = merge.glob("specs/*.yaml")
    spec.write_text(spec.read_text().replace("Caps, seen", "Caps"))
    codes = [shell(merge, line).returncode for line in GATE]
    assert codes == [0, 0, 3]


@pytest.mark.parametrize(("code", "passes"), [(0, True), (3, True), (4, True), (2, False), (1, False)])
def test_a_plan_with_changes_passes_and_a_refused_one_does_not(
    github: dict[str, Any], gitlab: dict[str, Any], tmp_path: Path, code: int, passes: bool
) -> None:
    """The report is written in any case; `corespec` is a stand-in here, because a plan needs an AI Core."""
    tool = tmp_path / "corespec"
    tool.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    tool.chmod(0o755)
    (script,) = [step["run"] for step in github["jobs"]["plan"]["steps"] if step.get("name") == "plan"]
    for text in (script, "\n".join(gitlab["corespec:plan"]["script"])):
        variables = {"CORESPEC_PLAN_ENVIRONMENT": "prod; exit 0", "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
        done = shell(tmp_path, f'PATH="{tmp_path}:$PATH"\n{text}', **variables)
        assert (done.returncode == 0) is passes
        assert (tmp_path / "report/plan.md").read_text() == "plan --environment prod; exit 0 --output md\n"
