"""A Pascal VOC folder as the demo takes it: how its splits are named, and what is known of its pictures."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from corespec.errors import CommandError

_LIST_FOLDERS = ("", "ImageSets", "ImageSets/Main")
#: List files in the order of preference: train, validation, test.
_LISTS = (
    ("train.txt", "val.txt", "test.txt"),
    ("train.txt", "val.txt", "val.txt"),
    ("trainval.txt", "test.txt", "test.txt"),
)
_SHARES = ("0.8", "0.1", "0.1")
_PICTURES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parameters of the trainer, as list files of the dataset or as shares of it."""

    train: str
    validation: str
    test: str

    @property
    def drawn(self) -> bool:
        """Whether the trainer deals the pictures out itself."""
        return (self.train, self.validation, self.test) == _SHARES


def check_folder(folder: Path) -> None:
    """Raise CommandError unless `folder` looks like Pascal VOC; the trainer's own check reads every file."""
    if not folder.is_dir():
        raise CommandError(f"DATA={folder}: there is no such folder", remedy="Name a Pascal VOC folder.")
    if not any(path.suffix.lower() == ".xml" for path in folder.rglob("*.xml")):
        raise CommandError(
            f"DATA={folder}: no annotation (*.xml) lies in it",
            remedy="Pascal VOC: pictures in JPEGImages/, and one XML file for each in Annotations/.",
        )


def guess_splits(folder: Path) -> Splits:
    """The list files that the dataset brings along, else shares of 0.8, 0.1 and 0.1."""
    for names in _LISTS:
        if all(_has_list(folder, name) for name in names):
            return Splits(*names)
    return Splits(*_SHARES)


def _has_list(folder: Path, name: str) -> bool:
    return any((folder / place / name).is_file() for place in _LIST_FOLDERS)


def find_picture(folder: Path, stem: str) -> Path | None:
    """The picture with this stem, wherever the dataset keeps it."""
    return next(
        (path for path in sorted(folder.rglob(f"{stem}.*")) if path.suffix.lower() in _PICTURES), None
    )


def readings(folder: Path) -> Mapping[str, str]:
    """Whole counters by picture stem from `readings.csv`; empty where the dataset has none."""
    path = folder / "readings.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {
            row["image"]: row["reading"]
            for row in csv.DictReader(stream)
            if {"image", "reading"} <= row.keys()
        }


def boxes(folder: Path, stem: str) -> Counter[str]:
    """How many boxes of each class a picture's annotation holds; empty when it cannot be read."""
    path = next(iter(sorted(folder.rglob(f"{stem}.xml"))), None)
    if path is None:
        return Counter()
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, DefusedXmlException):
        return Counter()
    return (
        Counter(name.text or "" for name in root.iterfind("object/name")) if root is not None else Counter()
    )
