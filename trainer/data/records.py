"""What a dataset is once it has been read and found sound: plain, frozen records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

SplitName = Literal["train", "validation", "test", "index"]
"""``index`` holds the pictures that a retrieval searches; only that training has it."""
SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled rectangle in picture pixels.

    Coordinates are 0-based and half-open: the box covers columns ``xmin <= x < xmax`` and rows
    ``ymin <= y < ymax``, so width is ``xmax - xmin``. ``0 <= xmin < xmax <= picture width`` always holds.
    """

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    label: str
    difficult: bool = False

    @property
    def width(self) -> float:
        return self.xmax - self.xmin

    @property
    def height(self) -> float:
        return self.ymax - self.ymin


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that was decoded once, with its boxes in document order.

    ``path`` is absolute; ``width`` and ``height`` are pixels as decoded (pictures with an EXIF
    rotation are refused, so no reader needs to turn anything). ``digest`` is the SHA-256 of the picture
    and its annotation.
    """

    path: Path
    stem: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The pictures of every split that is in use; a switched-off split is absent from ``splits``.

    ``classes`` fixes the class indices: the given ``class_names``, or every label found, digits in
    numeric order before words in alphabetical order. Pictures are sorted by stem.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[SplitName, tuple[Picture, ...]]


def dataset_fingerprint(dataset: Dataset) -> str:
    """SHA-256 (hex) of the classes and of every picture and annotation with its split.

    Neither the folder's place on the machine nor file times enter.
    """
    digest = hashlib.sha256()
    digest.update(repr(dataset.classes).encode())
    for split in SPLIT_NAMES:
        for picture in dataset.splits.get(split, ()):
            digest.update(repr((split, picture.stem, picture.digest)).encode())
    return digest.hexdigest()


def write_splits(dataset: Dataset, folder: Path) -> tuple[Path, ...]:
    """Write ``<split>.txt`` (one stem a line) for every split in use, and return the files."""
    written = []
    for split, pictures in dataset.splits.items():
        target = folder / f"{split}.txt"
        target.write_text("".join(f"{picture.stem}\n" for picture in pictures), encoding="utf-8")
        written.append(target)
    return tuple(written)
