"""The check of a whole dataset: folders, splits, leaks, the report, and what load_dataset makes of it."""

from __future__ import annotations

import io
import json
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trainer.data.check import Inspection, inspect
from trainer.data.layout import ANNOTATION_FOLDERS, PICTURE_FOLDERS
from trainer.data.load import load_dataset
from trainer.data.records import dataset_fingerprint, write_splits
from trainer.data.report import print_report
from trainer.errors import DatasetError
from trainer.parameters.detection import parse


def look(folder: Any, **values: str) -> Inspection:
    return inspect(folder.root, parse(values))


def codes(inspection: Inspection) -> set[str]:
    return {finding.code for finding in (*inspection.report.errors, *inspection.report.warnings)}


def stems(inspection: Inspection) -> dict[str, list[str]]:
    assert inspection.dataset is not None, [str(finding) for finding in inspection.report.errors]
    return {split: [p.stem for p in pictures] for split, pictures in inspection.dataset.splits.items()}


@pytest.mark.parametrize("images", PICTURE_FOLDERS)
@pytest.mark.parametrize("annotations", ANNOTATION_FOLDERS)
def test_every_folder_spelling_loads(voc: Any, images: str, annotations: str) -> None:
    """Five spellings of pictures times six of annotations."""
    voc.images, voc.annotations = images, annotations
    voc.pair("a", "b", "c")
    assert stems(look(voc, train="0.4", validation="0.3", test="0.3")).keys() == {
        "train",
        "validation",
        "test",
    }


@pytest.mark.parametrize("place", ["", "ImageSets", "ImageSets/Main"])
def test_lists_are_found_in_all_three_places(voc: Any, place: str) -> None:
    """The dataset itself, ImageSets, and VOC's ImageSets/Main."""
    voc.pair("a", "b")
    voc.split("train", ["a"], place)
    voc.split("val", ["b"], place)
    assert stems(look(voc, test="")) == {"train": ["a"], "validation": ["b"]}


@pytest.mark.parametrize(
    "entry", ["a", "a.jpg", "a.xml", "JPEGImages/a.jpg", "a  1", "a -1", "\ufeffa", "a\r"]
)
def test_list_entries_may_have_folder_suffix_or_class_flag(voc: Any, entry: str) -> None:
    """What tools of fifteen years have written into these files."""
    voc.pair("a", "b")
    voc.split("train", [entry, ""])
    voc.split("val", ["b"])
    assert stems(look(voc, test=""))["train"] == ["a"]


def test_names_with_dots_keep_them(voc: Any) -> None:
    """2022.06.15 is no name with the suffix .15."""
    voc.pair("2022.06.15", "b.jpg")
    voc.split("train", ["2022.06.15"])
    voc.split("val", ["b.jpg.jpg"])
    assert stems(look(voc, test="")) == {"train": ["2022.06.15"], "validation": ["b.jpg"]}


def test_a_split_may_be_a_folder_of_its_own(voc: Any) -> None:
    """<split>/Images + <split>/Annotations for each split."""
    for split in ("one", "two"):
        voc.images, voc.annotations = f"{split}/Images", f"{split}/Annotations"
        voc.pair(f"{split}-a")
    assert stems(look(voc, train="one", validation="two", test="")) == {
        "train": ["one-a"],
        "validation": ["two-a"],
    }


@pytest.mark.parametrize("annotations", ["Annotations/one", "Annotations"])
def test_a_split_may_be_a_folder_among_the_pictures(voc: Any, annotations: str) -> None:
    """Images/<split> with Annotations/<split>, or with all annotations in one folder."""
    voc.images, voc.annotations = "Images/one", annotations
    voc.pair("a")
    voc.images, voc.annotations = "Images", "Annotations"
    voc.pair("b")
    voc.split("val", ["b"])
    found = look(voc, train="one", test="", bad_data="skip")
    assert stems(found) == {"train": ["a"], "validation": ["b"]}


def test_a_split_may_hold_pictures_and_xml_side_by_side(voc: Any) -> None:
    """What labelling tools write."""
    voc.images = voc.annotations = "one"
    voc.pair("a", "b")
    assert stems(look(voc, train="one", validation="", test="")) == {"train": ["a", "b"]}


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"test": "tset.txt"}, "split-missing", "looked in the dataset, ImageSets, ImageSets/Main"),
        ({"train": "nowhere"}, "split-missing", "no such sub-folder"),
        ({"train": ".."}, "split-missing", "no such sub-folder"),
        ({"train": "../secret.txt"}, "split-missing", "no such list file"),
        ({"train": "pictures.zip"}, "split-archive", "unpack"),
        ({"validation": "train.txt"}, "split-same-source", "both train and validation"),
    ],
)
def test_a_split_that_is_not_there_is_a_clear_error_even_under_skip(
    sound: Any, values: dict[str, str], code: str, words: str
) -> None:
    """Structure cannot be skipped: nothing is left to train on."""
    (sound.root.parent / "secret.txt").write_text("a\n")
    inspection = look(sound, bad_data="skip", **values)
    assert inspection.dataset is None
    assert [finding.code for finding in inspection.report.errors] == [code]
    assert words in inspection.report.errors[0].message


def test_missing_folders_and_missing_dataset_name_what_was_expected(tmp_path: Path, voc: Any) -> None:
    """The three ways to point at the wrong place."""
    voc.root.mkdir()
    missing = {"images-folder-missing", "annotations-folder-missing"}
    assert codes(look(voc, train="0.8", validation="0.2", test="")) == missing
    assert [e.code for e in inspect(tmp_path / "no", parse({})).report.errors] == ["dataset-missing"]


def test_a_list_that_is_no_text_is_named(sound: Any) -> None:
    """A picture called train.txt does not end in a traceback."""
    (sound.root / "ImageSets/train.txt").write_bytes(b"\xff\xfe\x00a")
    assert "split-unreadable" in codes(look(sound))


def test_an_empty_split_is_an_error_even_under_skip(sound: Any) -> None:
    """No picture to measure on: exit 2, not a run of hours without figures."""
    sound.split("val", [])
    inspection = look(sound, bad_data="skip")
    assert inspection.dataset is None
    assert [finding.code for finding in inspection.report.errors] == ["split-empty"]


def test_switched_off_splits_are_absent(sound: Any) -> None:
    """\"\" switches validation and test off."""
    assert stems(look(sound, validation="", test="")) == {"train": ["a", "b", "c", "d"]}


def test_validation_and_test_may_be_the_same_list_with_a_note(sound: Any) -> None:
    """Two lists only: the test figures are then those of validation, and the report says so."""
    inspection = look(sound, test="val.txt")
    assert stems(inspection)["test"] == ["e"]
    assert codes(inspection) == {"split-shared", "unlisted"}
    assert inspection.report.pictures == 5


def test_a_picture_in_two_splits_is_a_leak_and_stays_where_it_is_measured(sound: Any) -> None:
    """reject refuses it; skip takes it out of train."""
    sound.split("train", "abcdf")
    errors = look(sound).report.errors
    assert [(error.file, error.line, error.code) for error in errors] == [
        ("ImageSets/train.txt", 5, "split-leak")
    ]
    assert stems(look(sound, bad_data="skip")) == {
        "train": ["a", "b", "c", "d"],
        "validation": ["e"],
        "test": ["f"],
    }


def test_a_group_in_two_lists_is_a_leak(voc: Any) -> None:
    """group_pattern holds for lists, too: the same meter in train and val is named."""
    voc.pair("m1_a", "m1_b", "m2_a")
    voc.split("train", ["m1_a", "m2_a"])
    voc.split("val", ["m1_b"])
    inspection = look(voc, test="", group_pattern="^m[0-9]+", bad_data="skip")
    assert "group-leak" in codes(inspection)
    assert stems(inspection)["train"] == ["m2_a"]


def test_byte_identical_pictures_across_splits_are_a_warning(sound: Any) -> None:
    """The same photograph under two names makes the figures too good; within a split it is harmless."""
    for copy in ("b", "f"):
        shutil.copy(sound.root / "JPEGImages/a.jpg", sound.root / f"JPEGImages/{copy}.jpg")
    report = look(sound).report
    assert report.ok
    assert [(w.code, w.message) for w in report.warnings] == [
        ("identical-pictures", "'a' in train and 'f' in test")
    ]


def test_one_name_for_different_files_is_a_warning(voc: Any) -> None:
    """Folders that each count from 1 are common; the report mentions it."""
    for split in ("one", "two"):
        voc.images, voc.annotations = f"{split}/Images", f"{split}/Annotations"
        voc.pair("001")
    inspection = look(voc, train="one", validation="two", test="")
    assert codes(inspection) == {"stem-shared"}


def test_a_name_twice_in_a_list_counts_once(sound: Any) -> None:
    """With the line of the second."""
    sound.split("train", "abcda")
    warning = look(sound).report.warnings[0]
    assert (warning.code, warning.file, warning.line) == ("id-repeated", "ImageSets/train.txt", 5)
    assert stems(look(sound))["train"] == ["a", "b", "c", "d"]


def test_classes_are_collected_in_a_stable_order_or_taken_as_given(voc: Any) -> None:
    """Digits by value, then words; class_names fixes any other order; an untrained class is noted."""
    for stem, label in (("a", "10"), ("b", "9"), ("c", "unit"), ("d", "0")):
        voc.picture(stem)
        voc.annotation(stem, ((label, 2, 2, 9, 9),))
    voc.split("train", "abc")
    voc.split("val", "d")
    inspection = look(voc, test="")
    assert inspection.dataset is not None
    assert inspection.dataset.classes == ("0", "9", "10", "unit")
    assert codes(inspection) == {"class-untrained"}
    given = look(voc, test="", class_names='["unit", "0", "9", "10"]').dataset
    assert given is not None
    assert given.classes == ("unit", "0", "9", "10")


def test_two_candidate_folders_are_noted(sound: Any) -> None:
    """Images goes before JPEGImages, and the report says which was not looked at."""
    (sound.root / "Annotation").mkdir()
    warnings = look(sound).report.warnings
    assert [(w.code, w.file) for w in warnings] == [("folder-ambiguous", "Annotations")]


def test_an_orphan_annotation_is_a_missing_picture(sound: Any) -> None:
    """With shares every file counts: missing pairs are named either way."""
    sound.annotation("lost")
    errors = look(sound, train="0.8", validation="0.1", test="0.1").report.errors
    assert [(error.file, error.code) for error in errors] == [("Annotations/lost.xml", "picture-missing")]


def test_the_report_counts_what_is_usable(sound: Any) -> None:
    """The JSON shape that the reconciler reads, and the statistics on top."""
    sound.annotation("a", (("a", 1, 1, 10, 20), ("a", 1, 1, 10, 40)))
    document = json.loads(json.dumps(look(sound).report.as_dict()))
    assert (document["ok"], document["errors"], document["pictures"]) == (True, [], 6)
    assert document["splits"] == {"train": 4, "validation": 1, "test": 1}
    assert document["classes"] == {"a": 7}
    assert document["statistics"]["train"]["boxes_per_picture"] == {"minimum": 1, "median": 1.0, "maximum": 2}
    assert document["statistics"]["train"]["box_height"] == {"p5": 20, "p50": 25, "p95": 40}


@pytest.mark.parametrize("terminal", [True, False])
def test_the_text_report_names_faults_and_figures(sound: Any, terminal: bool) -> None:
    """Tables on a terminal, plain lines in a log; markup in a file name stays text."""
    (sound.root / "JPEGImages/[red]x.gif").write_bytes(b"")
    stream = io.StringIO()
    print_report(look(sound).report, Console(file=stream, force_terminal=terminal, width=200))
    text = stream.getvalue()
    assert "warning: JPEGImages/[red]x.gif: file-ignored" in text
    assert "dataset (Pascal VOC) accepted: 6 usable pictures, 0 errors, 1 warning" in text
    assert ("─" in text) is terminal


def test_load_dataset_raises_one_error_with_every_problem(sound: Any) -> None:
    """The message is one line with the way on; the problems are the report."""
    sound.annotation("a", ())
    sound.annotation("b", ())
    with pytest.raises(DatasetError, match=r"2 faults in 2 files.*set bad_data=skip") as caught:
        load_dataset(sound.root, parse({}))
    assert len(caught.value.problems) == 2
    assert "\n" not in str(caught.value)
    assert len(load_dataset(sound.root, parse({"bad_data": "skip"})).splits["train"]) == 2


def test_the_fingerprint_is_that_of_the_content(sound: Any, tmp_path: Path) -> None:
    """Another place, other file times: the same; one changed byte or another split: another."""
    first = look(sound)
    copy = tmp_path / "elsewhere"
    shutil.copytree(sound.root, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    second = inspect(copy, parse({}))
    assert first.dataset is not None
    assert second.dataset is not None
    assert (
        dataset_fingerprint(first.dataset) == dataset_fingerprint(second.dataset) == first.report.fingerprint
    )
    sound.picture("a")
    assert look(sound).report.fingerprint != first.report.fingerprint
    sound.split("train", "bcd")
    assert look(sound).report.fingerprint != first.report.fingerprint


def test_split_files_can_be_trained_on_again(sound: Any) -> None:
    """What a run with shares writes to the model folder draws the same splits when given as lists."""
    drawn = look(sound, train="0.5", validation="0.3", test="0.2")
    assert drawn.dataset is not None
    written = write_splits(drawn.dataset, sound.root)
    assert [path.name for path in written] == ["train.txt", "validation.txt", "test.txt"]
    again = look(sound, train="train.txt", validation="validation.txt", test="test.txt")
    assert stems(again) == stems(drawn)


def test_records_hold_normal_form_stems(voc: Any) -> None:
    """A decomposed file name gives a composed stem: the same on a Mac and on Linux."""
    voc.pair(unicodedata.normalize("NFD", "zähler"), "b")
    found = stems(look(voc, train="0.5", validation="0.5", test=""))
    assert "zähler" in {*found["train"], *found["validation"]}


def test_the_shared_blood_cells_load_without_their_two_faults(shared: Path) -> None:
    """BCCD as published has two boxes of a single point; with skip it loads, and both are named."""
    folder = shared / "data" / "BCCD"
    if not folder.is_dir():
        pytest.skip("needs data/BCCD in the shared folder")
    inspection = inspect(folder, parse({"bad_data": "skip"}))
    assert {split: len(found) for split, found in stems(inspection).items()} == {
        "train": 204,
        "validation": 86,
        "test": 72,
    }
    assert [(w.file, w.line, w.code) for w in inspection.report.warnings] == [
        ("Annotations/BloodImage_00338.xml", 158, "box-degenerate"),
        ("Annotations/BloodImage_00343.xml", 50, "box-degenerate"),
    ]


def test_the_shared_meter_counters_are_sound(shared: Path) -> None:
    """2,150 pictures, ten classes, no fault."""
    folder = shared / "data" / "MeterCounters"
    if not folder.is_dir():
        pytest.skip("needs data/MeterCounters in the shared folder")
    report = inspect(folder, parse({"test": "val.txt"})).report
    assert (report.ok, report.pictures, tuple(report.classes)) == (True, 2150, tuple("0123456789"))
