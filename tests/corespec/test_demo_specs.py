"""What the demo writes is what a user would write: legal specs, splits as the dataset has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from corespec.demo import scenario
from corespec.demo.dataset import Splits, boxes, check_folder, find_picture, guess_splits, readings
from corespec.demo.workspace import slug, workspace
from corespec.errors import CommandError
from generator.catalog import load_catalog
from generator.project import load_project
from generator.spec.resolve import resolve

XML = "<annotation><object><name>7</name></object><object><name>7</name></object></annotation>"


def _lists(folder: Path, *names: str, place: str = "ImageSets/Main") -> Path:
    (folder / place).mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / place / name).write_text("a\n")
    return folder


@pytest.mark.parametrize("place", ["", "ImageSets", "ImageSets/Main"])
@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train.txt", "val.txt", "test.txt", "trainval.txt"), Splits("train.txt", "val.txt", "test.txt")),
        (("train.txt", "val.txt"), Splits("train.txt", "val.txt", "val.txt")),
        (("trainval.txt", "test.txt"), Splits("trainval.txt", "test.txt", "test.txt")),
        (("train.txt",), Splits("0.8", "0.1", "0.1")),
        ((), Splits("0.8", "0.1", "0.1")),
    ],
)
def test_splits_are_those_of_the_dataset(
    tmp_path: Path, place: str, names: tuple[str, ...], splits: Splits
) -> None:
    """Lists that the dataset brings are used, wherever the trainer looks; otherwise shares are drawn."""
    assert guess_splits(_lists(tmp_path, *names, place=place)) == splits


@pytest.mark.parametrize("own", [False, True])
def test_the_written_specs_are_valid(tmp_path: Path, own: bool) -> None:
    """The demo's specs pass the checks of every user's specs, and name the dataset where it lies."""
    data = tmp_path / "my pictures: 'best'"
    data.mkdir()
    place = workspace(data if own else None, tmp_path / ".demo")
    environments = place.project / "specs" / "environments"
    environments.mkdir(parents=True)
    values = scenario.parameters(Splits("train.txt", "val.txt", "test.txt"), own=own)
    (place.project / "specs" / "demo.yaml").write_text(scenario.scenario_text(place, data, values))
    (environments / "local.yaml").write_text(scenario.environment_text(place))
    catalog = load_catalog()
    resolved = resolve(load_project(place.project, catalog), "local", catalog)
    (configuration,) = resolved.configurations
    assert configuration.parameters["bad_data"] == ("skip" if own else "reject")
    assert configuration.parameters["early_stopping"].lower() == "false"
    (dataset,) = resolved.datasets
    assert (place.project / str(dataset.dataset.source)).resolve() == data
    assert resolved.environment.git.publish == "direct"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("MeterCounters", "metercounters"),
        ("BCCD", "bccd"),
        ("my set (2)", "my-set-2"),
        ("42", "data-42"),
        ("abc", "data-abc"),
        ("local", "data-local"),
        ("Ünïcode", "n-code"),
        ("---", "data"),
    ],
)
def test_any_folder_name_becomes_a_legal_scenario(folder: str, name: str) -> None:
    """Scenario ids are lower case, 4 characters at least, and never the name of another demo folder."""
    assert slug(folder) == name


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    """A wrong DATA= is one message before anything is written."""
    with pytest.raises(CommandError, match="there is no such folder"):
        check_folder(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="no annotation"):
        check_folder(tmp_path)


def test_truth_is_read_from_the_dataset(tmp_path: Path) -> None:
    """The whole counter comes from readings.csv, the boxes from the annotation, the picture from anywhere."""
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(XML)
    (tmp_path / "JPEGImages" / "a.jpg").write_bytes(b"")
    assert readings(tmp_path) == {}
    (tmp_path / "readings.csv").write_text("image,reading\na,0077\n")
    assert readings(tmp_path) == {"a": "0077"}
    assert boxes(tmp_path, "a") == {"7": 2}
    assert boxes(tmp_path, "b") == {}
    assert find_picture(tmp_path, "a") == tmp_path / "JPEGImages" / "a.jpg"
    assert find_picture(tmp_path, "b") is None


def test_an_annotation_with_entities_is_not_expanded(tmp_path: Path) -> None:
    """The demo reads a stranger's XML as carefully as the trainer does."""
    (tmp_path / "a.xml").write_text(
        '<!DOCTYPE a [<!ENTITY e "7">]><annotation><object><name>&e;</name></object></annotation>'
    )
    assert boxes(tmp_path, "a") == {}
