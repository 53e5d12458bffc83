"""Change one thing at a time, through a real server and a real repository: exactly that thing follows."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.world import World, launches


def _changes(world: World) -> list[dict[str, Any]]:
    result = world.run("plan", "-o", "json")
    assert result.code == 3, result.err
    changes: list[dict[str, Any]] = result.document["changes"]
    return changes


def _actions(changes: list[dict[str, Any]]) -> list[str]:
    return sorted(change["action"] for change in changes)


def test_from_nothing_to_a_trained_model_and_then_rest(world: World) -> None:
    """One reconcile makes everything; after it plan exits 0, and a second apply sends no writing request."""
    first = world.converge()
    assert first.code == 0, first.err + first.out
    assert len(launches(world.writes())) >= 1
    assert world.run("plan").code == 0
    before = world.writes()
    again = world.run("apply", "--yes")
    assert again.code == 0, again.err
    assert world.writes() == before


def test_a_changed_parameter_is_one_configuration_and_one_launch(world: World) -> None:
    """`plan` names the very field with its old and new value; apply makes one of each and then rests."""
    assert world.converge().code == 0
    world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rate: 0.0003")
    world.push("Learn more slowly")
    changes = _changes(world)
    assert _actions(changes) == ["create", "launch"]
    created = next(change for change in changes if change["action"] == "create")
    assert created["paths"] == ["parameters.base_learning_rate"]
    assert created["before"] == {"parameters.base_learning_rate": "0.001"}
    assert created["after"] == {"parameters.base_learning_rate": "0.0003"}
    before = len(world.writes())
    assert world.run("apply", "--yes").code == 0
    written = world.writes()[before:]
    assert [line for line in written if "refresh" not in line] == [
        "POST /v2/lm/configurations",
        "POST /v2/lm/executions",
    ]
    assert world.run("plan").code == 0


def test_comments_and_key_order_change_nothing(world: World) -> None:
    """What a machine does not read never trains anything and is never written anywhere."""
    assert world.converge().code == 0
    text = world.scenario.read_text()
    swapped = text.replace(
        "{base_learning_rate: 0.001, maximum_training_steps: 10}",
        "{maximum_training_steps: 10, base_learning_rate: 0.0010}  # the same",
    )
    assert swapped != text
    world.scenario.write_text("# A remark.\n" + swapped)
    world.push("Say more, mean the same")
    before = world.writes()
    assert world.run("render", "--check").code == 0
    assert world.run("plan").code == 0
    assert world.converge().code == 0
    assert world.writes() == before


def test_one_changed_file_is_a_new_artifact_configuration_and_launch(world: World) -> None:
    """Data is identified by content: one file makes a new dataset; put back, it launches nothing."""
    assert world.converge().code == 0
    original = (world.words / "1.txt").read_text()
    (world.words / "1.txt").write_text("another word\n")
    changes = _changes(world)
    assert [change["address"].split("/")[0] for change in changes if change["action"] == "launch"] == [
        "execution"
    ]
    assert _actions(changes) == ["create", "create", "launch", "upload"]
    assert world.run("apply", "--yes").code == 0
    assert world.run("plan").code == 0
    (world.words / "1.txt").write_text(original)
    before = launches(world.writes())
    assert world.run("plan").code == 0
    assert world.converge().code == 0
    assert launches(world.writes()) == before


def test_a_parameter_put_back_launches_nothing(world: World) -> None:
    """The old configuration and its finished execution are still there: that is what the spec wants again."""
    assert world.converge().code == 0
    world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rate: 0.002")
    world.push("Try")
    assert world.converge().code == 0
    before = world.writes()
    world.edit(world.scenario, "base_learning_rate: 0.002", "base_learning_rate: 0.001")
    world.push("Take it back")
    assert world.run("plan").code == 0
    assert world.converge().code == 0
    assert [line for line in world.writes()[len(before) :] if "refresh" not in line] == []


def test_a_title_changes_the_template_and_trains_nothing(world: World) -> None:
    """Titles are for people: the template is rendered and synced anew, and no configuration follows."""
    assert world.converge().code == 0
    world.edit(world.scenario, "title: Tiny", "title: Tiny but proud")
    world.push("Rename")
    assert world.run("render", "--check").code == 3
    before = launches(world.writes())
    assert world.converge().code == 0
    assert launches(world.writes()) == before
    assert world.run("plan").code == 0


def test_a_renamed_executable_replaces_its_files(world: World) -> None:
    """What the old name had rendered is removed, folders included, and the new one is trained."""
    assert world.run("render").code == 0
    world.edit(world.scenario, f"{world.name}-exec", f"{world.name}-new")
    world.push("Rename the executable")
    assert world.converge().code == 0
    images = world.project / "rendered" / "local" / "images"
    assert [path.name for path in images.iterdir()] == [f"{world.name}-new"]
    assert world.run("plan").code == 0


def test_more_launches_than_the_policy_allows_are_refused_before_anything_is_created(world: World) -> None:
    """A typo in a matrix costs nothing: exit 2, no request; --max-launches states the intention."""
    world.edit(
        world.scenario,
        "    parameters: {base_learning_rate: 0.001, maximum_training_steps: 10}",
        "    parameters: {maximum_training_steps: 10}\n"
        "    matrix: {base_learning_rate: [0.1, 0.01, 0.001, 0.0001]}",
    )
    world.push("Sweep")
    assert world.run("render").code == 0
    assert world.run("publish").code == 0
    before = world.writes()
    refused = world.run("apply", "--yes")
    assert refused.code == 2
    assert "maxLaunchesPerApply" in refused.err
    assert world.writes() == before
    assert world.run("apply", "--yes", "--max-launches", "4").code == 0
    assert len(launches(world.writes())) == len(launches(before)) + 4
