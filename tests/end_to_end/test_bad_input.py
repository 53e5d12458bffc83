"""Each fault of a user: one clear error, exit code 2, and nothing created at the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.world import World, corespec

RATE = "base_learning_rate: 0.001"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

FAULTS = {
    "unknown key": (RATE + ",", "base_learning_rat: 0.001,", "base_learning_rate"),
    "unknown field": ("    workflow: tiny-train", "    workflow: tiny-train\n    imge: x", "imge"),
    "wrong type": ("want: 1", "want: many", "want"),
    "dangling reference": ("datain: words", "datain: wrods", "words"),
    "dangling configuration": ("configuration: baseline", "configuration: basline", "baseline"),
    "parameter out of range": (RATE, "base_learning_rate: 7", "base_learning_rate"),
    "parameter of the wrong type": (RATE, "base_learning_rate: fast", "base_learning_rate"),
    "unknown workflow": ("workflow: tiny-train", "workflow: tiny-trian", "tiny-train"),
    "duplicate key": ("executions:\n", "executions:\n  baseline: {configuration: baseline}\n", "baseline"),
    "yaml tag": ("title: Tiny", "title: !!python/object/apply:os.system [true]", "tag"),
    "moving image": ("tiny:0.0.1", "tiny:latest", "latest"),
    "source missing": ("source: data/words", "source: data/wrods", "data/wrods"),
}


def _refused(world: World, *needles: str) -> None:
    """validate or plan, and apply, refuse with code 2, name what is wrong, and write nothing."""
    before = world.writes()
    for verb, options in (("plan", ()), ("apply", ("--yes",)), ("reconcile", ("--once",))):
        result = world.run(verb, *options)
        assert result.code == 2, (verb, result)
        assert "Traceback" not in result.err
        for needle in needles:
            assert needle in result.err, (verb, result.err)
    assert world.writes() == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_spec_is_named_with_its_place(world: World, fault: str) -> None:
    """The message names the thing at fault, and the right word where it is only misspelt."""
    before, after, needle = FAULTS[fault]
    world.edit(world.scenario, before, after)
    world.push(fault)
    _refused(world, needle)


@pytest.mark.parametrize(
    "text", [BOMB, "a: &a [*a]", "a: [" * 500, "\t- broken"], ids=["bomb", "cycle", "deep", "tab"]
)
def test_hostile_yaml_is_one_error(world: World, text: str) -> None:
    """Aliases that multiply, endless nesting and plain nonsense end at once, naming file and line."""
    (world.project / "specs" / "bomb.yaml").write_text(text)
    world.push("Bomb")
    _refused(world, "specs/bomb.yaml:")


def test_names_that_two_files_claim_are_refused(world: World) -> None:
    """Scenario and executable names are unique across specs; the second file is named."""
    (world.project / "specs" / "twin.yaml").write_text(world.scenario.read_text())
    world.push("Twin")
    _refused(world, "specs/twin.yaml:", "already declared in specs/tiny.yaml")


def test_every_error_of_every_file_is_told_at_once(world: World) -> None:
    """A user mends all faults in one go, not one after the other."""
    world.edit(world.scenario, "want: 1", "want: many")
    world.edit(world.environment, "maxConcurrent: 2", "maxConcurrent: none")
    result = world.run("validate")
    assert result.code == 2
    assert "specs/tiny.yaml:" in result.err
    assert "specs/environments/local.yaml:" in result.err


def test_credentials_that_do_not_work(world: World, local: Path) -> None:
    """A wrong secret is said to be one, and never printed."""
    key = json.loads((local / "service-key.json").read_text())
    key["clientsecret"] = "not-the-secret-at-all"
    path = world.root / "key.json"
    path.write_text(json.dumps(key))
    world.edit(
        world.environment,
        f"{{connection: local, data: {local}}}",
        f"{{connection: serviceKey, serviceKey: 'file:{path}'}}",
    )
    world.push("Wrong key")
    before = world.writes()
    result = world.run("apply", "--yes")
    assert result.code == 2
    assert "not-the-secret-at-all" not in result.err + result.out
    assert world.writes() == before


def test_a_server_that_is_not_there(world: World) -> None:
    """A local AI Core that was never started is said with the command that starts it."""
    world.edit(world.environment, str(world.local), str(world.root / "elsewhere"))
    world.push("Elsewhere")
    result = world.run("plan")
    assert result.code in {1, 2}
    assert "corespec local up" in result.err


def test_a_port_in_use(tmp_path: Path) -> None:
    """`local up` on a taken port says so and starts nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = corespec("local", "up", "--data", tmp_path / "data", "--port", str(port))
    assert result.code == 2
    assert str(port) in result.err
    assert corespec("local", "status", "--data", tmp_path / "data").code == 4


def test_a_repository_that_refuses_the_push(world: World) -> None:
    """A protected branch ends publish and reconcile with Git's own words, before anything is created."""
    hook = world.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert world.run("render").code == 0
    before = world.writes()
    for verb, options in (("publish", ()), ("reconcile", ("--once",))):
        result = world.run(verb, *options)
        assert result.code == 2, (verb, result)
        assert "protected" in result.err
    assert world.writes() == before


def _no_pictures(folder: Path) -> None:
    (folder / "JPEGImages").mkdir()
    (folder / "Annotations").mkdir()


def _without_boxes(folder: Path) -> None:
    _picture(folder, "<annotation><size><width>32</width><height>32</height></size></annotation>")


def _outside(folder: Path) -> None:
    _picture(folder, _annotation(1, 99))


def _annotation(xmin: int, xmax: int) -> str:
    box = f"<bndbox><xmin>{xmin}</xmin><ymin>1</ymin><xmax>{xmax}</xmax><ymax>20</ymax></bndbox>"
    return (
        "<annotation><size><width>32</width><height>32</height></size>"
        f"<object><name>7</name>{box}</object></annotation>"
    )


def _broken(folder: Path) -> None:
    _outside(folder)
    (folder / "JPEGImages" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")


def _empty_split(folder: Path) -> None:
    _picture(folder, _annotation(1, 20))
    (folder / "val.txt").write_text("")


def _picture(folder: Path, annotation: str) -> None:
    from PIL import Image

    _no_pictures(folder)
    Image.new("RGB", (32, 32)).save(folder / "JPEGImages" / "a.jpg")
    (folder / "Annotations" / "a.xml").write_text(annotation)


@pytest.mark.parametrize(
    ("make", "needle"),
    [
        (_no_pictures, "data/pictures"),
        (_empty_split, "split-empty: validation"),
        (_without_boxes, "a.xml"),
        (_outside, "a.xml"),
        (_broken, "a.jpg"),
    ],
    ids=["zero pictures", "zero pictures in a split", "no boxes", "box outside", "broken picture"],
)
def test_a_dataset_that_cannot_be_trained_on(world: World, make: Callable[[Path], None], needle: str) -> None:
    """The pictures are read before anything is uploaded; the file at fault is named."""
    folder = world.project / "data" / "pictures"
    folder.mkdir()
    make(folder)
    world.edit(world.scenario, "workflow: tiny-train", "workflow: object-detection-train")
    world.edit(world.scenario, "source: data/words", "source: data/pictures")
    world.edit(world.scenario, "maximum_training_steps: 10", "train: 0.8, validation: 0.1, test: 0.1")
    if make is _empty_split:
        world.edit(world.scenario, "validation: 0.1", "validation: val.txt")
    world.push("Pictures")
    before = world.writes()
    result = world.run("apply", "--yes")
    assert result.code == 2, result
    assert needle in result.err
    assert world.writes() == before
