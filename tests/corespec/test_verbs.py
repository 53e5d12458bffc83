"""Verbs that need no server, run in this process on a small project; their whole output is compared.

The expected texts lie in `golden/`. `CORESPEC_REGENERATE=1` writes them anew; read the difference then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.world import CATALOG, Result, World, corespec, git

GOLDEN = Path(__file__).parent / "golden"
Compare = Callable[[str, str], None]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pushed project; the server that it names does not exist."""
    return World(tmp_path, tmp_path / "local").build()


@pytest.fixture
def same(tmp_path: Path) -> Compare:
    """Compare a text with the golden file of that name; the test's own folder is written as TMP."""

    def compare(name: str, text: str) -> None:
        path, plain = GOLDEN / name, text.replace(str(tmp_path), "TMP")
        if os.environ.get("CORESPEC_REGENERATE") and "CI" not in os.environ:
            path.write_text(plain, encoding="utf-8")
        assert plain == path.read_text(encoding="utf-8")

    return compare


def _clean(result: Result) -> str:
    assert result.err == ""
    assert result.code == 0
    return result.out


def test_validate_names_what_it_has_seen(world: World, same: Compare) -> None:
    """A clean bill of health says of what."""
    same("validate.txt", _clean(world.run("validate")))


def test_validate_reports_every_error_in_the_order_of_the_files(world: World, same: Compare) -> None:
    """path:line:column: code: message, one line for each, with the nearest right word."""
    world.edit(world.scenario, "datain: words", "datain: wrods")
    world.edit(world.scenario, "want: 1", "want: many")
    world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rat: 0.001")
    world.edit(world.environment, "maxConcurrent: 2", "maxConcurent: 2")
    result = world.run("validate")
    assert (result.code, result.out) == (2, "")
    same("validate-errors.txt", result.err)


def test_validate_reports_errors_as_json(world: World) -> None:
    """Editors and CI read path, line, column, code and message as fields."""
    world.edit(world.scenario, "want: 1", "want: many")
    result = world.run("validate", "-o", "json")
    assert result.code == 2
    (found,) = result.document["error"]["diagnostics"]
    assert found["path"] == "specs/tiny.yaml"
    assert found.keys() == {"path", "line", "column", "code", "message", "severity"}


def test_render_writes_and_then_rests(world: World, same: Compare) -> None:
    """The first run writes every file, the second finds them fresh, and --check agrees."""
    same("render.txt", _clean(world.run("render")))
    same("render-again.txt", _clean(world.run("render")))
    same("render-again.txt", _clean(world.run("render", "--check")))


def test_render_check_shows_the_difference_and_writes_nothing(world: World, same: Compare) -> None:
    """A stale rendered/ ends with code 3 and a unified diff: the gate of a pull request."""
    assert world.run("render").code == 0
    world.edit(world.scenario, "tiny:0.0.1", "tiny:0.0.2")
    template = world.project / "rendered" / "local" / "templates" / "tiny-exec.yaml"
    before = template.read_bytes()
    result = world.run("render", "--check")
    assert result.code == 3
    assert "corespec render" in result.err
    changed = [line for line in result.out.splitlines() if line.startswith(("-", "+")) and "image" in line]
    assert any(line.lstrip("+ ").startswith("image:") and "tiny:0.0.2" in line for line in changed)
    assert template.read_bytes() == before


def test_publish_commits_what_was_rendered_and_nothing_else(world: World) -> None:
    """The commit on the remote holds rendered/ only; publishing again has nothing to commit."""
    (world.project / "notes.txt").write_text("mine\n")
    first = world.run("publish", "-o", "json")
    assert first.code == 0
    assert first.document["commit"] == git("rev-parse", "main", cwd=world.origin).strip()
    files = git("show", "--name-only", "--format=", "main", cwd=world.origin).split()
    assert files
    assert all(path.startswith("rendered/local/") for path in files)
    again = world.run("publish")
    assert again.out == "Nothing to commit: main holds what the specs render.\n"


def test_publish_as_a_pull_request_leaves_main_alone(world: World) -> None:
    """The rendered files go to a branch named after their content, for people to review."""
    before = git("rev-parse", "main", cwd=world.origin)
    result = world.run("publish", "--pull-request", "-o", "json")
    assert result.code == 0
    assert git("rev-parse", "main", cwd=world.origin) == before
    assert result.document["branch"] in git("branch", "--list", cwd=world.origin)


def test_the_catalogue_lists_workflows(same: Compare) -> None:
    """Built-in workflows and those of --catalog stand in one table."""
    same("catalog-list.txt", _clean(corespec("catalog", "list", "--catalog", CATALOG)))


def test_the_catalogue_shows_a_workflow(same: Compare) -> None:
    """Every parameter with type, default, range and meaning, readable as it stands."""
    same("catalog-show.txt", _clean(corespec("catalog", "show", "tiny-train", "--catalog", CATALOG)))


def test_the_catalogue_as_json() -> None:
    """The same for programs: every parameter of the CV package is there with its origin."""
    document = corespec("catalog", "show", "object-detection-train", "-o", "json").document
    origins = {row["name"]: row["origin"] for row in document["parameters"]}
    assert origins["maximum_training_steps"] == "sap-cv 1.1.7"
    assert origins["maximum_training_minutes"] == "corespec"


def test_an_unknown_workflow_is_one_message() -> None:
    """The message lists what there is."""
    result = corespec("catalog", "show", "object-detection")
    assert result.code == 2
    assert "object-detection-train" in result.err


def test_init_makes_a_project_that_is_valid_and_rendered(tmp_path: Path, same: Compare) -> None:
    """What `init` writes passes validate and render --check as it stands, and is never overwritten."""
    folder = tmp_path / "meter-reading"
    same("init.txt", _clean(corespec("init", folder)))
    assert corespec("validate", "-C", folder).code == 0
    assert corespec("render", "--check", "-C", folder).code == 0
    again = corespec("init", folder)
    assert again.code == 2
    assert "is there already" in again.err


def test_an_environment_that_does_not_exist_is_named_with_those_that_do(world: World) -> None:
    """A misspelt -e is one message, with what there is."""
    result = world.run("render", "-e", "prodution")
    assert result.code == 2
    assert "specs/environments/ has: local" in result.err


def test_apply_without_a_person_asks_for_yes(world: World) -> None:
    """In a pipe nobody can answer: nothing is read or written, and the flag is named."""
    result = world.run("apply")
    assert result.code == 2
    assert "--yes" in result.err


def test_local_status_and_down_without_a_server(tmp_path: Path) -> None:
    """Asking is no error; status says 4, down has nothing to do."""
    assert corespec("local", "status", "--data", tmp_path / "x").code == 4
    assert corespec("local", "down", "--data", tmp_path / "x").code == 0
    document = corespec("local", "status", "--data", tmp_path / "x", "-o", "json").document
    assert document["running"] is False


def test_without_the_extra_local_up_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation without the web server names the extra, and exits with 2."""
    from corespec import localserver

    monkeypatch.setattr(localserver, "find_spec", lambda name: None)
    result = corespec("local", "up", "--data", tmp_path / "x")
    assert result.code == 2
    assert "corespec[local]" in result.err
