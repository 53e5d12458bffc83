"""`corespec plan --out FILE`, somebody looks at it, `corespec apply FILE`: through a real server and Git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.world import World, git, launches


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out" / "plan.json"


def _published(world: World) -> World:
    assert world.run("render").code == 0
    assert world.run("publish").code == 0
    return world


def test_a_plan_is_written_and_carried_out_without_asking(world: World, file: Path) -> None:
    """The file is the consent: no --yes; what it shows is done, and then it is stale."""
    planned = _published(world).run("plan", "--out", str(file))
    assert planned.code == 3
    assert planned.out.splitlines()[-1].startswith("Plan for local: ")
    assert f"corespec apply {file}" in planned.err
    document = json.loads(file.read_text())
    assert document["spec_commit"] == git("rev-parse", "HEAD", cwd=world.project).strip()
    assert document["specs_dirty"] is False
    assert document["expected"] == {
        "launches": 1,
        "minutes": None,
        "executables": [
            {
                "scenario": world.name,
                "executable": f"{world.name}-exec",
                "launches": 1,
                "runs": 0,
                "minutes": None,
            }
        ],
    }
    before = len(launches(world.writes()))
    done = world.run("apply", str(file))
    assert done.code == 0, done.err + done.out
    assert len(launches(world.writes())) == before + 1
    writes = world.writes()
    again = world.run("apply", str(file))
    assert again.code == 2
    assert "is stale" in again.err
    assert f"no longer to do: launch execution/{world.name}/baseline" in again.err
    assert world.writes() == writes


def test_json_on_stdout_is_the_same_document(world: World, file: Path) -> None:
    """Whoever redirects `-o json` into a file has a plan file; only the moment of the look differs."""
    printed = _published(world).run("plan", "-o", "json", "--out", str(file))
    assert printed.out == file.read_text()
    assert not [path for path in file.parent.iterdir() if path != file]
    shown = world.run("apply", str(file), "--dry-run", "-o", "json")
    assert shown.code == 3
    assert shown.document["plan_digest"] == printed.document["plan_digest"]


def test_an_edit_after_the_plan_was_made_is_refused_and_nothing_is_created(world: World, file: Path) -> None:
    """Of the specs, of the data and of the environment; --dry-run says so as well."""
    assert _published(world).run("plan", "--out", str(file)).code == 3
    writes = world.writes()
    text, words, place = world.scenario.read_text(), world.words / "0.txt", world.environment.read_text()

    def refused(message: str) -> None:
        for options in ([], ["--dry-run"], ["-o", "json"]):
            result = world.run("apply", str(file), *options)
            assert result.code == 2, result.out
            assert message in result.err
        assert world.writes() == writes

    world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rate: 0.01")
    refused(f"new: launch execution/{world.name}/baseline")
    world.scenario.write_text(text)
    content = words.read_text()
    words.write_text("another word\n")
    refused(f"new: upload dataset/{world.name}/words")
    words.write_text(content)
    world.edit(world.environment, "maxConcurrent: 2", "maxConcurrent: 1")
    refused("environment local has been changed")
    world.environment.write_text(place)
    assert world.run("apply", str(file), "--dry-run").code == 3


def test_another_environment_and_a_changed_file_are_refused(world: World, file: Path) -> None:
    """Before any request is sent."""
    assert _published(world).run("plan", "--out", str(file)).code == 3
    other = world.environment.with_name("prod.yaml")
    other.write_text(world.environment.read_text().replace("name: local", "name: prod"))
    requests = len(world.requests())
    result = world.run("apply", str(file), "-e", "prod")
    assert (result.code, len(world.requests())) == (2, requests)
    assert "is a plan for environment local, not for prod" in result.err
    file.write_text(file.read_text().replace("base", "best"))
    assert world.run("apply", str(file)).code == 2
    assert len(world.requests()) == requests


def test_more_launches_are_allowed_by_the_plan_that_shows_them(world: World, file: Path) -> None:
    """What --max-launches allowed when the plan was made is part of what was looked at."""
    world.edit(
        world.scenario,
        "    parameters: {base_learning_rate: 0.001,",
        "    matrix: {base_learning_rate: [0.1, 0.2, 0.3, 0.4]}\n    parameters: {",
    )
    world.push("Sweep")
    assert _published(world).run("plan", "--out", str(file)).code == 2
    refused = world.run("apply", str(file))
    assert refused.code == 2
    assert "maxLaunchesPerApply" in refused.err
    assert world.run("plan", "--max-launches", "4", "--out", str(file)).code == 3
    before = len(launches(world.writes()))
    done = world.run("apply", str(file), "-o", "json")
    assert done.code == 0, done.err
    assert len(launches(world.writes())) == before + 4
    told = world.run("plan", "-o", "json").document
    assert told["expected"]["launches"] == 0


def test_no_secret_enters_the_file(world: World, file: Path) -> None:
    """Neither the key of AI Core nor anything that it holds."""
    _published(world).run("plan", "--out", str(file))
    key = json.loads((world.local / "service-key.json").read_text())
    assert key["clientsecret"] not in file.read_text()
    assert key["clientid"] not in file.read_text()
