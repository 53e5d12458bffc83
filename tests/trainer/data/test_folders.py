"""Datasets in which every folder is a class: splits of every kind, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.data.check import Inspection, inspect
from trainer.data.folders import select_folders
from trainer.parameters.classification import TABLE

Paint = Callable[..., Path]


@pytest.fixture
def classes(tmp_path: Path, paint: Paint) -> Path:
    """Ten pictures each of the classes cat and dog; the names repeat, the bytes do not."""
    root = tmp_path / "data"
    for place, label in enumerate(("cat", "dog")):
        for number in range(10):
            paint(root / label / f"{number}.png", size=(20 + number, 30 + place))
    return root


def look(root: Path, **settings: str) -> Inspection:
    shares = {"train": "0.6", "validation": "0.2", "test": "0.2"}
    return inspect(root, TABLE.parse({**shares, **settings}), select_folders)


def stems(inspection: Inspection, split: str) -> list[str]:
    assert inspection.dataset is not None, inspection.report.errors
    return [picture.stem for picture in inspection.dataset.splits[split]]  # type: ignore[index]


def codes(inspection: Inspection) -> list[tuple[str, str]]:
    return [(finding.file, finding.code) for finding in inspection.report.errors]


def test_shares_are_dealt_class_by_class(classes: Path) -> None:
    """Six, two and two of each; a picture's label is its folder."""
    found = look(classes)
    assert found.dataset is not None
    assert found.dataset.classes == ("cat", "dog")
    for split, count in (("train", 6), ("validation", 2), ("test", 2)):
        assert Counter(stem.split("/")[0] for stem in stems(found, split)) == {"cat": count, "dog": count}
    for picture in found.dataset.splits["train"]:
        assert picture.boxes[0].label == picture.stem.split("/")[0] == picture.path.parent.name
    everything = [stem for split in found.dataset.splits for stem in stems(found, split)]
    assert len(set(everything)) == len(everything) == 20


def test_the_seed_decides_and_nothing_else_does(classes: Path) -> None:
    assert stems(look(classes), "test") == stems(look(classes), "test")
    assert stems(look(classes), "test") != stems(look(classes, seed="1"), "test")


def test_groups_stay_together_across_classes(classes: Path) -> None:
    """The pattern is searched in the file's stem, not in its folder."""
    found = look(classes, group_pattern=r"^\d")
    for split in ("train", "validation", "test"):
        numbers = Counter(stem.split("/")[1] for stem in stems(found, split))
        assert set(numbers.values()) == {2}


@pytest.mark.parametrize(
    "line", ["cat/3.png", "cat/3", "./data/cat/3.png", "C:\\pictures\\cat\\3.png", "  cat/3.png  "]
)
def test_list_entries_as_people_write_them(classes: Path, line: str) -> None:
    (classes / "train.txt").write_text(f"{line}\ndog/1.png\n", encoding="utf-8")
    assert stems(look(classes, train="train.txt", validation="", test=""), "train") == [
        "cat/3.png",
        "dog/1.png",
    ]


def test_a_bare_name_counts_where_it_is_the_only_one(classes: Path, paint: Paint) -> None:
    paint(classes / "cat" / "only.png", "blue")
    (classes / "train.txt").write_text("only\n3.png\n", encoding="utf-8")
    found = look(classes, train="train.txt", validation="", test="")
    assert [(e.file, e.line, e.code) for e in found.report.errors] == [("train.txt", 2, "picture-missing")]


def test_splits_may_be_folders_of_class_folders(classes: Path, paint: Paint) -> None:
    """They are no classes of the other splits then."""
    for label in ("cat", "dog"):
        paint(classes / "held" / label / "0.png", "green")
    found = look(classes, train="1.0", validation="", test="held")
    assert stems(found, "test") == ["held/cat/0.png", "held/dog/0.png"]
    assert len(stems(found, "train")) == 20
    assert found.dataset is not None
    assert found.dataset.classes == ("cat", "dog")


def test_validation_and_test_may_be_the_same_list(classes: Path) -> None:
    """The CV package's default: both are val.txt; a warning says what that means."""
    (classes / "val.txt").write_text("cat/1.png\ndog/1.png\n", encoding="utf-8")
    found = look(classes, train="0.8", validation="val.txt", test="val.txt")
    assert stems(found, "test") == stems(found, "validation")
    assert "split-shared" in [finding.code for finding in found.report.warnings]


def test_bad_pictures_are_named_or_skipped(classes: Path) -> None:
    (classes / "cat" / "3.png").write_bytes(b"junk")
    (classes / "cat" / "notes.md").write_text("no picture")
    found = look(classes)
    assert codes(found) == [("cat/3.png", "picture-unreadable")]
    assert ("cat/notes.md", "file-ignored") in [(w.file, w.code) for w in found.report.warnings]
    assert look(classes, bad_data="skip").report.left_out == 1


def test_a_folder_that_is_no_class_is_named(classes: Path) -> None:
    found = look(classes, class_names='["cat", "fox"]')
    assert {code for _, code in codes(found)} == {"class-unknown"}
    assert len(codes(found)) == 10


def test_a_link_out_of_the_dataset_is_not_followed(classes: Path, tmp_path: Path, paint: Paint) -> None:
    (classes / "cat" / "link.png").symlink_to(paint(tmp_path / "secret.png"))
    assert codes(look(classes)) == [("cat/link.png", "path-escape")]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"train": "nowhere"}, "split-missing"),
        ({"train": "nowhere.txt"}, "split-missing"),
        ({"train": "../elsewhere"}, "split-missing"),
    ],
)
def test_splits_that_are_not_there(classes: Path, settings: dict[str, str], code: str) -> None:
    assert code in [found for _, found in codes(look(classes, **settings))]


def test_a_folder_without_classes(tmp_path: Path, paint: Paint) -> None:
    paint(tmp_path / "data" / "1.png")
    assert codes(look(tmp_path / "data")) == [(".", "class-folders-missing")]
    assert codes(look(tmp_path / "nowhere"))[0][1] == "dataset-missing"


def test_one_class_is_nothing_to_tell_apart(classes: Path) -> None:
    """Also where class_names or the other splits have more: it is learnt from train."""
    (classes / "train.txt").write_text("cat/1\ncat/2\n", encoding="utf-8")
    assert codes(look(classes, train="train.txt")) == [(".", "classes-too-few")]


def test_the_verb_checks_class_folders(classes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the reconciler runs before it creates anything."""
    words = [word for name in ("train=0.8", "validation=0.2", "test=") for word in ("--set", name)]
    assert main(["check", "image-classification-train", "--datain", str(classes), *words]) == 0
    out = capsys.readouterr().out
    assert "20 usable pictures" in out
    assert "box" not in out
    (classes / "dog" / "0.png").write_bytes(b"")
    assert main(["check", "image-classification-train", "--datain", str(classes), *words]) == 2
