"""`corespec diff` and `corespec publish` as a person or a CI job runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.world import World, corespec, git

TEMPLATE = "rendered/local/templates/tiny-exec.yaml"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pushed project with a rendered folder on main, and another image on disk."""
    world = World(tmp_path, tmp_path / "local").build()
    assert world.run("publish").code == 0
    world.edit(world.scenario, "tiny:0.0.1", "tiny:0.0.2")
    assert world.run("render").code == 0
    return world


def diff(world: World, *options: str) -> tuple[int, str]:
    """Exit code and what was printed; `diff` needs no catalogue."""
    result = corespec("diff", "-C", world.project, *options)
    return result.code, result.out or result.err


def world_json(world: World) -> dict[str, Any]:
    code, text = diff(world, "--base", "main", "-o", "json")
    assert code == 0
    return dict(json.loads(text))


def test_a_diff_names_the_part_and_its_effect(world: World) -> None:
    code, text = diff(world, "--base", "main")
    assert code == 0
    assert text == (
        f"~ {TEMPLATE} (retrain)\n"
        "    ~ spec.templates.train.container.image: docker.io/acme/tiny:0.0.1 -> docker.io/acme/tiny:0.0.2 "
        "(retrain)\n\n"
        "1 file changed: 1 change retrains.\n"
    )


def test_exit_code_3_only_where_it_is_asked_for(world: World) -> None:
    """Like `git diff`: a diff is no failure, but a script may want to know."""
    assert diff(world, "--base", "main", "--exit-code")[0] == 3
    assert diff(world, "--base", "main", "--head", "main", "--exit-code") == (0, "No template changes.\n")


def test_a_diff_as_json_and_as_markdown(world: World) -> None:
    result = world_json(world)
    assert (result["format_version"], result["kind"], result["exit_code"]) == ("1.0", "Diff", 0)
    assert result["base"] == git("rev-parse", "main", cwd=world.project).strip()
    assert result["head"] is None
    assert result["summary"] == {"files": {"changed": 1}, "changes": {"retrain": 1}}
    assert result["files"][0]["changes"][0]["after"] == "docker.io/acme/tiny:0.0.2"
    _, text = diff(world, "--base", "main", "-o", "markdown", "--max-bytes", "1000")
    assert text.startswith("### 1 file changed: 1 change retrains.\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--base", "nowhere"), "no revision `nowhere`"),
        (("--base=--output=x",), "is no revision"),
        (("--base", "main", "-e", "../.."), "is no name of an environment"),
        (("--base", "main", "--max-bytes", "10"), "max-bytes"),
        ((), "--base"),
    ],
)
def test_what_cannot_be_compared_is_one_message(world: World, options: tuple[str, ...], words: str) -> None:
    code, text = diff(world, *options)
    assert code == 2
    assert words in text


def test_a_diff_needs_no_valid_specs(world: World) -> None:
    """Who reviews wants to see what is there, also where a spec is at fault."""
    world.scenario.write_text("no: spec")
    assert diff(world, "--base", "main", "-e", "local")[1].endswith("1 change retrains.\n")


def test_publishing_says_what_is_not_committed_and_that_it_existed(world: World) -> None:
    """The edit of the spec is rendered and proposed, but no commit holds it: a word on stderr says so."""
    first = world.run("publish", "--pull-request", "-m", "Train with 0.0.2")
    assert first.code == 0
    assert "specs has changes that are not committed" in first.err
    assert TEMPLATE in first.out
    again = world.run("publish", "--pull-request", "-o", "json")
    assert (again.document["commit"], again.document["existed"]) == (None, True)
    branch = str(again.document["branch"])
    assert git("log", "-1", "--format=%s", branch, cwd=world.origin) == "Train with 0.0.2\n"
    world.push("Take 0.0.2")
    direct = world.run("publish")
    assert direct.err == ""
    assert direct.out.splitlines()[-1].startswith("Pushed ")


def test_the_link_of_a_server_with_any_name(world: World) -> None:
    """`--forge` says what it is; a folder has no page, whatever it is called."""
    result = world.run("publish", "--pull-request", "--forge", "github")
    assert result.code == 0
    assert "Open the pull request" not in result.out
    assert world.run("publish", "--forge", "sourceforge").code == 2
