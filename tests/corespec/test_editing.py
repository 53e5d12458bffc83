"""`suspend`, `resume` and `rerun`: what they write, what they leave, what they refuse."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from corespec.__main__ import main
from generator.project import load_project
from reconciler.exitcode import ExitCode
from tests.reconciler.project import CATALOG

SPEC = """\
# what we train
apiVersion: corespec/v1
kind: Scenario
metadata: {name: stub, title: "Stub"}   # quoted
executables:
  trainer: {workflow: stub-train, image: "docker.io/acme/stub:1", resourcePlan: starter}
  server: {workflow: model-serving, image: 'docker.io/acme/server:1', resourcePlan: infer.s}
datasets:
  words: {source: data, path: words}
  models: {source: data, path: models, kind: model}
configurations:
  base: {executable: trainer, inputs: {datain: words}}
  sweep: {executable: trainer, inputs: {datain: words}, matrix: {rate: [0.1, 0.2]}}
executions:
  base: {configuration: base}   # every night
  sweep:
    configuration: sweep

    maxParallel: 2   # no more
deployments:
  reader: {executable: server, inputs: {trainedmodels: {dataset: models}}}
"""
PLACE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {name: local}
aiCore: {connection: local}
catalog: [catalog]
objectStores:
  default: {type: directory, path: .corespec/objects}
git: {url: ../origin.git, repository: g, application: app}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "specs" / "stub.yaml").write_text(SPEC)
    (tmp_path / "specs" / "environments" / "local.yaml").write_text(PLACE)
    (tmp_path / "catalog").symlink_to(CATALOG, target_is_directory=True)
    for words in (["init", "--quiet"], ["add", "specs"], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def run(root: Path, *words: str) -> int:
    return main([*words, "-C", str(root)])


def lines(root: Path, name: str = "stub.yaml") -> list[str]:
    return (root / "specs" / name).read_text().splitlines()


def block(root: Path, kind: str, name: str) -> Any:
    return getattr(load_project(root).scenarios[0], kind)[name]


def test_one_line_changes_and_resuming_puts_it_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The diff is printed; comments, quoting and blanks stay; AI Core is not asked (there is none here)."""
    assert run(root, "suspend", "base", "--reason", 'no "budget"', "--until", "2999-01-01T00:00:00Z") == 0
    suspend = r'suspend: {reason: "no \"budget\"", until: 2999-01-01T00:00:00Z}'
    line = f"  base: {{configuration: base, {suspend}}}   # every night"
    assert f"+{line}" in capsys.readouterr().out.splitlines()
    assert lines(root) == [
        line if one.startswith("  base: {configuration") else one for one in SPEC.splitlines()
    ]
    assert block(root, "executions", "base").suspend.reason == 'no "budget"'
    assert run(root, "resume", "execution/stub/base") == 0
    assert lines(root) == SPEC.splitlines()


def test_a_deployment_and_a_block_over_several_lines(root: Path) -> None:
    """Both forms of a block; suspending again changes the reason in place."""
    assert run(root, "suspend", "deployment/stub/reader", "--reason", "Migration") == 0
    assert run(root, "suspend", "execution/stub/sweep", "--reason", "one") == 0
    assert run(root, "suspend", "execution/stub/sweep", "--reason", "two", "--until", "36h") == 0
    assert block(root, "deployments", "reader").suspend.reason == "Migration"
    suspend = block(root, "executions", "sweep").suspend
    assert suspend.reason == "two"
    assert abs(suspend.until - datetime.now(UTC) - timedelta(hours=36)) < timedelta(minutes=2)
    assert [one for one in lines(root) if "suspend" not in one] == [
        one for one in SPEC.splitlines() if not one.startswith("  reader:")
    ]


def test_rerun_moves_the_time_from_which_runs_count(root: Path) -> None:
    """Now, or what --after says; a second time replaces the first."""
    assert run(root, "rerun", "base", "--after", "2026-01-31T09:00:00+01:00") == 0
    assert block(root, "executions", "base").rerun_after == datetime(2026, 1, 31, 8, tzinfo=UTC)
    before = datetime.now(UTC).replace(microsecond=0)
    assert run(root, "rerun", "base") == 0
    assert before <= block(root, "executions", "base").rerun_after <= datetime.now(UTC)
    assert sum("rerunAfter" in one for one in lines(root)) == 1


def test_one_environment_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in the overrides, goes with them, and `resume` without -e says where it is."""
    assert run(root, "suspend", "base", "--reason", "here", "-e", "local") == 0
    assert run(root, "rerun", "base", "-e", "local") == 0
    overrides = load_project(root).environments["local"].overrides["stub"].executions["base"]
    assert (overrides.suspend is not None, overrides.rerun_after is not None) == (True, True)
    assert lines(root) == SPEC.splitlines()
    assert run(root, "resume", "base") == ExitCode.REJECTED
    assert "specs/environments/local.yaml" in capsys.readouterr().err
    assert run(root, "resume", "base", "-e", "local") == 0
    assert load_project(root).environments["local"].overrides["stub"].executions["base"].suspend is None


def test_committing_takes_that_file_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else's staged work stays staged; nothing is pushed."""
    (root / "other.txt").write_text("x")
    subprocess.run(["git", "add", "other.txt"], cwd=root, check=True)
    assert run(root, "suspend", "base", "--reason", "why", "--commit", "-o", "json") == 0
    said = json.loads(capsys.readouterr().out)
    shown = subprocess.run(
        ["git", "show", "--format=%H %s", "--name-only", "HEAD"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    assert shown[0] == f"{said['commit']} Suspend execution/stub/base"
    assert shown[2:3] == ["specs/stub.yaml"]
    status = subprocess.run(
        ["git", "status", "--short", "--untracked-files=no"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    assert status.stdout == "A  other.txt\n"
    assert (said["file"], said["changed"]) == ("specs/stub.yaml", True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["suspend", "nobody", "--reason", "x"], "no execution or deployment of the specs"),
        (["suspend", "execution/stub/sweep.rate-0.1", "--reason", "x"], "part of execution/stub/sweep"),
        (["suspend", "base", "--reason", " "], "--reason is empty"),
        (["suspend", "base", "--reason", "x", "--until", "2020-01-01T00:00:00Z"], "is over already"),
        (["suspend", "base", "--reason", "x", "--until", "tomorrow"], "no time"),
        (["suspend", "base", "--reason", "x", "--until", "2030-01-01T00:00:00"], "with its zone"),
        (["suspend", "base"], "--reason"),
        (["suspend", "base", "--reason", "x", "-e", "cloud"], "there is no environment `cloud`"),
        (["suspend", "reader", "--reason", "x", "-e", "local"], "the same in all environments"),
        (["rerun", "reader"], "a deployment has no runs"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    root: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a message that says what to do, and a file as it was."""
    assert run(root, *words) == ExitCode.REJECTED
    assert said in capsys.readouterr().err
    assert (root / "specs" / "stub.yaml").read_text() == SPEC


def test_specs_at_fault_and_uncommitted_work_are_left_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reason that no spec may hold is taken back; what nobody has committed gets into no commit of ours."""
    assert run(root, "suspend", "base", "--reason", "two\nlines") == ExitCode.REJECTED
    assert (root / "specs" / "stub.yaml").read_text() == SPEC
    (root / "specs" / "stub.yaml").write_text(SPEC + "# mine\n")
    assert run(root, "suspend", "base", "--reason", "x", "--commit") == ExitCode.REJECTED
    assert "nobody has committed" in capsys.readouterr().err
    assert (root / "specs" / "stub.yaml").read_text() == SPEC + "# mine\n"


def test_the_same_again_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and no commit."""
    assert run(root, "resume", "base", "--commit") == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert run(root, "suspend", "base", "--reason", "x") == 0
    assert run(root, "suspend", "base", "--reason", "x") == 0
    assert "nothing was changed" in capsys.readouterr().out
