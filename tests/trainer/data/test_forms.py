"""Boxes in the three forms that people have them in: the same pictures give the same boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.boxes import Fault, place_boxes
from trainer.data.check import Inspection, inspect
from trainer.data.coco import read_coco
from trainer.data.records import Box, Picture
from trainer.data.yolo import LabelReader
from trainer.parameters.detection import parse

ROWS = (("cat", 5, 6, 20, 30), ("dog", 1, 1, 64, 48))
"""VOC corners in a picture of 64 x 48: inclusive, from 1."""

EXPECTED = (Box(4, 5, 20, 30, "cat"), Box(0, 0, 64, 48, "dog"))
NAMES = ("cat", "dog")


def look(root: Path, **values: str) -> Inspection:
    return inspect(root, parse({"train": "0.5", "validation": "0.5", "test": "", **values}))


def pictures(inspection: Inspection) -> dict[str, Picture]:
    assert inspection.dataset is not None, [str(finding) for finding in inspection.report.errors]
    return {picture.stem: picture for part in inspection.dataset.splits.values() for picture in part}


def coco(files: Mapping[str, Sequence[Box]], size: tuple[int, int] = (64, 48)) -> dict[str, Any]:
    """A COCO document of pictures with boxes."""
    boxes = [(number, box) for number, drawn in enumerate(files.values(), start=1) for box in drawn]
    return {
        "images": [
            {"id": number, "file_name": file, "width": size[0], "height": size[1]}
            for number, file in enumerate(files, start=1)
        ],
        "categories": [{"id": 10 + place, "name": name} for place, name in enumerate(NAMES)],
        "annotations": [
            {
                "id": 100 + place,
                "image_id": image,
                "category_id": 10 + NAMES.index(box.label),
                "bbox": [box.xmin, box.ymin, box.width, box.height],
            }
            for place, (image, box) in enumerate(boxes)
        ],
    }


def label_file(boxes: Sequence[Box], size: tuple[int, int] = (64, 48)) -> str:
    """A label file of boxes."""
    rows = [
        (
            NAMES.index(box.label),
            (box.xmin + box.xmax) / 2 / size[0],
            (box.ymin + box.ymax) / 2 / size[1],
            box.width / size[0],
            box.height / size[1],
        )
        for box in boxes
    ]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


def write(path: Path, content: str | dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def as_voc(voc: Any) -> None:
    for stem in "ab":
        voc.picture(stem)
        voc.annotation(stem, ROWS)


def as_coco(voc: Any) -> None:
    files = {voc.picture(stem).name: EXPECTED for stem in "ab"}
    write(voc.root / "annotations/instances.json", coco(files))


def as_yolo(voc: Any) -> None:
    voc.images = "images"
    for stem in "ab":
        voc.picture(stem)
        write(voc.root / f"labels/{stem}.txt", label_file(EXPECTED))
    write(voc.root / "classes.txt", "cat\ndog\n")


@pytest.mark.parametrize(("fill", "form"), [(as_voc, "Pascal VOC"), (as_coco, "COCO"), (as_yolo, "YOLO")])
def test_every_form_gives_the_same_boxes_and_is_stated(voc: Any, fill: Any, form: str) -> None:
    fill(voc)
    inspection = look(voc.root)
    found = pictures(inspection)
    assert set(found) == {"a", "b"}
    for picture in found.values():
        assert [box.label for box in picture.boxes] == ["cat", "dog"]
        for box, expected in zip(picture.boxes, EXPECTED, strict=True):
            corners = (box.xmin, box.ymin, box.xmax, box.ymax)
            assert corners == pytest.approx((expected.xmin, expected.ymin, expected.xmax, expected.ymax))
    assert inspection.report.form == form
    assert inspection.report.as_dict()["form"] == form


def test_several_forms_are_not_mixed(voc: Any) -> None:
    as_voc(voc)
    write(voc.root / "labels/a.txt", label_file(EXPECTED))
    write(voc.root / "instances.json", coco({"a.jpg": EXPECTED}))
    report = look(voc.root).report
    assert report.form == "Pascal VOC"
    (note,) = [finding for finding in report.warnings if finding.code == "form-ambiguous"]
    assert "COCO and YOLO" in note.message


def test_coco_as_its_authors_lay_it_out(voc: Any) -> None:
    """annotations/instances_*.json beside train2017/ and val2017/, splits named by their files."""
    for folder, stem in (("train2017", "a"), ("val2017", "b")):
        voc.images = folder
        voc.picture(stem)
        write(voc.root / f"annotations/instances_{folder}.json", coco({f"{stem}.jpg": EXPECTED}))
    inspection = look(
        voc.root, train="instances_train2017.json", validation="instances_val2017.json", test=""
    )
    assert inspection.dataset is not None
    splits = {name: [p.stem for p in part] for name, part in inspection.dataset.splits.items()}
    assert splits == {"train": ["a"], "validation": ["b"]}


def test_coco_with_a_file_in_the_folder_of_each_split(voc: Any) -> None:
    for split, stem in (("train", "a"), ("valid", "b")):
        voc.images = split
        voc.picture(stem)
        write(voc.root / split / "_annotations.coco.json", coco({f"{stem}.jpg": EXPECTED}))
    inspection = look(voc.root, train="train", validation="valid")
    assert inspection.dataset is not None
    assert [picture.stem for picture in inspection.dataset.splits["validation"]] == ["b"]


@pytest.mark.parametrize("layout", ["{split}/images", "images/{split}"])
def test_yolo_in_both_layouts(voc: Any, layout: str) -> None:
    for split, stem in (("train", "a"), ("val", "b")):
        voc.images = layout.format(split=split)
        voc.picture(stem)
        write(voc.root / voc.images.replace("images", "labels") / f"{stem}.txt", label_file(EXPECTED))
    write(voc.root / "data.yaml", "names: {0: cat, 1: dog}\n")
    inspection = look(voc.root, train="train", validation="val")
    assert inspection.dataset is not None, inspection.report.errors
    assert inspection.dataset.classes == NAMES


def test_yolo_without_names_goes_by_numbers(voc: Any) -> None:
    as_yolo(voc)
    (voc.root / "classes.txt").unlink()
    inspection = look(voc.root)
    assert inspection.dataset is not None
    assert inspection.dataset.classes == ("0", "1")
    assert [finding.code for finding in inspection.report.warnings] == ["names-missing"]


def test_another_box_is_another_fingerprint_in_every_form(voc: Any) -> None:
    as_coco(voc)
    before = look(voc.root).report.fingerprint
    path = voc.root / "annotations/instances.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["annotations"][0]["bbox"][0] += 1
    write(path, document)
    after = look(voc.root).report.fingerprint
    assert after not in ("", before)


def test_strict_refuses_what_the_parameters_would_skip(voc: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from trainer.__main__ import main

    as_coco(voc)
    voc.picture("c")
    write(voc.root / "annotations/instances.json", coco({f"{stem}.jpg": EXPECTED for stem in "abcd"}))
    shares = ["--set", "train=0.5", "--set", "validation=0.5", "--set", "test=", "--set", "bad_data=skip"]
    call = ["check", "object-detection-train", "--datain", str(voc.root), *shares]
    assert main(call) == 0
    assert "dataset (COCO) accepted: 3 usable pictures, 1 left out" in capsys.readouterr().out
    assert main([*call, "--strict"]) == 2


corner = st.floats(0, 1)


@given(st.tuples(corner, corner, corner, corner))
def test_a_yolo_box_inside_the_picture_keeps_its_place(corners: tuple[float, float, float, float]) -> None:
    """Written as shares, read in pixels."""
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    row = f"0 {(x1 + x2) / 2!r} {(y1 + y2) / 2!r} {x2 - x1!r} {y2 - y1!r}\n"
    marks = LabelReader(("a",))(row.encode())
    assert not isinstance(marks, Fault)
    boxes, faults = place_boxes(marks.objects, 640, 480)
    if boxes:
        (box,) = boxes
        assert (box.xmin, box.ymin) == pytest.approx((x1 * 640, y1 * 480), abs=1e-6)
        assert (box.xmax, box.ymax) == pytest.approx((x2 * 640, y2 * 480), abs=1e-6)
    else:
        assert faults[0].code in {"box-degenerate", "box-outside"}


@given(st.binary(max_size=60))
def test_no_bytes_make_the_label_reader_fall(content: bytes) -> None:
    marks = LabelReader(("a",))(content)
    if not isinstance(marks, Fault):
        place_boxes(marks.objects, 64, 48)


FIELDS = ("id", "image_id", "category_id", "bbox", "file_name", "name", "width", "height", "iscrowd")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), part, max_size=5),
    max_leaves=12,
)


@given(images=JSON, annotations=JSON, categories=JSON)
def test_no_json_makes_the_coco_reader_fall(
    tmp_path_factory: pytest.TempPathFactory, images: Any, annotations: Any, categories: Any
) -> None:
    path = tmp_path_factory.mktemp("coco") / "a.json"
    write(path, {"images": images, "annotations": annotations, "categories": categories})
    for picture in read_coco(path, "a.json").pictures:
        place_boxes(picture.marks.objects, 64, 48)
