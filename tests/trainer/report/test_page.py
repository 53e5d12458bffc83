"""Whole pages, written from model folders made by hand: nothing else is asked."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trainer.__main__ import main
from trainer.inference.card import ModelError
from trainer.report.evidence import (
    ClassifiedPicture,
    DetectedPicture,
    Evidence,
    read_evidence,
    write_evidence,
)
from trainer.report.page import write_report

CURVES = {"loss": [(1, 2.0), (9, 1.0)]}
DETECTED = DetectedPicture(
    "m<b>1", [[0, 0, 9, 20]], [1], [[0, 0, 9, 19], [30, 0, 39, 20]], [1, 0], [0.9, 0.6]
)
CLASSIFIED = ClassifiedPicture("cat/1", 0, [0.7, 0.3])


def model_folder(folder: Path, task: str, pictures: Any = (), **changes: Any) -> Path:
    """A model folder as far as a report looks at it."""
    folder.mkdir(exist_ok=True)
    document = {
        "format_version": 1,
        "task": task,
        "classes": ["0", "1"],
        "input": {"width": 64, "height": 32},
        "score_threshold": 0.5,
        "class_agnostic_nms": True,
        "digits": True,
        "network": {"name": "compact"},
        "parameters": {"seed": 3, "class_names": ["<script>alert(1)</script>"]},
        "dataset": {"fingerprint": "f" * 64, "pictures": {"train": 7}},
        "metrics": {"validation": {"mAP/allClasses": 0.25, "accuracy": 0.5, "mAP/1": 0.125}},
        **changes,
    }
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "model.onnx").write_bytes(b"")
    write_evidence(Evidence("validation", CURVES, pictures), folder)
    return folder


class Links(HTMLParser):
    """Every address that a page would load, and the tags it has."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]


@pytest.mark.parametrize(
    ("task", "pictures", "said"),
    [
        (
            "object-detection",
            [DETECTED],
            ["Readings and the reject option", "Thresholds", "package 1.1.7"],
        ),
        ("image-classification", [CLASSIFIED], ["The reject option", "Calibration", "recall"]),
        ("image-embedding", [], ["Figures", "Model card"]),
    ],
)
def test_every_task_has_a_page_that_loads_nothing(
    tmp_path: Path, task: str, pictures: Any, said: list[str]
) -> None:
    page = write_report(model_folder(tmp_path, task, pictures)).read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert all(address.startswith("data:image/") for address in links.addresses)
    assert "script" not in links.tags
    assert all(word in page for word in said)
    assert "figures are of the pictures that the weights were chosen by" in page
    assert not re.search(r"https?://", page)


def test_names_from_the_data_stay_text(tmp_path: Path) -> None:
    """Pictures and classes are named by whoever made the dataset."""
    folder = model_folder(tmp_path, "object-detection", [DETECTED])
    (folder / "samples").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "samples" / "m<b>1.png")
    page = write_report(folder).read_text(encoding="utf-8")
    assert "m&lt;b&gt;1: 1 fault" in page
    assert "<script>" not in page


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "object-detection", [DETECTED])
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_the_figures_on_the_page_are_those_of_the_pictures(tmp_path: Path) -> None:
    """One object, found, and one made up: precision one half at the model's threshold, which is marked."""
    page = write_report(model_folder(tmp_path, "object-detection", [DETECTED])).read_text(encoding="utf-8")
    marked = re.search(r'<tr class="marked">(.*?)</tr>', page)
    assert marked
    cells = re.findall(r"<td>(.*?)</td>", marked.group(1))
    assert cells == ["0.500", "0.500", "1.000", "0.667", "0.000"]


def test_evidence_survives_the_file(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "object-detection", [DETECTED])
    assert read_evidence(folder, "object-detection") == Evidence("validation", CURVES, [DETECTED])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format_version": 2}', '{"format_version": 1, "split": 1}']
)
def test_a_folder_without_readable_evidence_is_refused(tmp_path: Path, content: str) -> None:
    folder = model_folder(tmp_path, "object-detection", [DETECTED])
    (folder / "evaluation.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"evaluation\.json"):
        write_report(folder)


def test_the_verb_writes_the_page_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model_folder(tmp_path, "image-classification", [CLASSIFIED])
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert main(["report", str(tmp_path / "absent")]) == 2
    assert "is no model folder" in capsys.readouterr().err
