"""COCO's annotations: one JSON file with the objects of many pictures.

``bbox`` is x, y, width, height in pixels from 0. Segments are not read; crowds, which are boxes around many
objects at once, are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.data.boxes import Corners, Drawn, Fault, Marks, numbers
from trainer.data.findings import Finding

MAX_JSON_BYTES = 2**30
KEYS = ("images", "annotations", "categories")
_FIELDS = ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class CocoPicture:
    """One of ``images``: the path it names, and what is drawn in it."""

    file: str
    marks: Marks

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return PurePosixPath(self.file).stem


@dataclass(slots=True)
class CocoFile:
    """One file: its pictures in its order, and what is wrong with it as a whole."""

    name: str
    pictures: list[CocoPicture] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file has the three lists of COCO among its first keys, without reading all of it."""
    try:
        with path.open("rb") as stream:
            head, size = stream.read(4096), path.stat().st_size
            stream.seek(max(0, size - 4096))
            ends = head + stream.read(4096)
    except OSError:
        return False
    return sum(f'"{key}"'.encode() in ends for key in KEYS) >= 2 or b'"file_name"' in ends


def read_coco(path: Path, name: str) -> CocoFile:
    """Read one file; every fault is in the result, nothing is raised for it."""
    found = CocoFile(name)
    try:
        if (size := path.stat().st_size) > MAX_JSON_BYTES:
            raise ValueError(f"{size:,} bytes, at most {MAX_JSON_BYTES:,}")
        document = json.loads(path.read_text(encoding="utf-8-sig"))
        lists = {key: document[key] for key in KEYS}
        for key, rows in lists.items():
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise TypeError(f"{key} must be a list of objects")
    except KeyError as error:
        found.findings.append(Finding(name, 0, "coco-unreadable", f"has no {error.args[0]!r}"))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        found.findings.append(Finding(name, 0, "coco-unreadable", f"is no COCO file: {reason}"))
    else:
        _Reading(found, **lists).run()
    return found


class _Reading:
    def __init__(
        self, found: CocoFile, images: list[Any], annotations: list[Any], categories: list[Any]
    ) -> None:
        self.found, self.images, self.annotations = found, images, annotations
        self.names = {
            row["id"]: str(row.get("name") or "").strip() for row in categories if _key(row.get("id"))
        }

    def run(self) -> None:
        objects: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        known = {row.get("id") for row in self.images if _key(row.get("id"))}
        repeated = self._repeated("annotation", self.annotations)
        for row in self.annotations:
            number, image = row.get("id"), row.get("image_id")
            if not _key(image) or image not in known:
                self._add("annotation-orphan", f"annotation {number!r} is of the unknown image {image!r}")
            elif row.get("iscrowd") in (1, True):
                self._add("crowd-ignored", f"annotation {number!r} is a crowd: no box of one object")
            else:
                objects[image].append(row)
        spoilt = {
            row["image_id"]
            for row in self.annotations
            if _key(row.get("id")) and row["id"] in repeated and _key(row.get("image_id"))
        }
        twice = self._repeated("image", self.images)
        for row in self.images:
            if picture := self._picture(row, objects, row.get("id") in twice or row.get("id") in spoilt):
                self.found.pictures.append(picture)

    def _add(self, code: str, message: str) -> None:
        self.found.findings.append(Finding(self.found.name, 0, code, message))

    def _repeated(self, what: str, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
        seen: set[Any] = set()
        repeated: set[Any] = set()
        for row in rows:
            number = row.get("id")
            if not _key(number):
                continue
            if number in seen and number not in repeated:
                repeated.add(number)
                self._add(
                    "id-duplicate", f"{what} id {number!r} is given twice: nobody can tell whose is what"
                )
            seen.add(number)
        return repeated

    def _picture(
        self, row: Mapping[str, Any], objects: Mapping[Any, Sequence[Mapping[str, Any]]], spoilt: bool
    ) -> CocoPicture | None:
        file = row.get("file_name")
        if not isinstance(file, str) or not file.strip() or not _key(row.get("id")):
            self._add("coco-image", f"image {row.get('id')!r} has no usable id or file_name")
            return None
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file.replace("\\", "/")).parts:
            self._add("path-escape", f"image {row['id']!r} lies outside of the dataset: {file[:80]!r}")
            return None
        drawn = tuple(self._drawn(item) for item in objects.get(row["id"], ()))
        if spoilt:
            fault = Fault(0, "id-duplicate", f"{file}: its image or annotation id is given twice")
            drawn = (Drawn(0, fault, fault, ""),)
        content = json.dumps([row, list(objects.get(row["id"], ())), self.names], sort_keys=True, default=str)
        digest = hashlib.sha256(content.encode()).hexdigest()
        return CocoPicture(file.strip().replace("\\", "/"), Marks(_size(row), drawn, digest))

    def _drawn(self, row: Mapping[str, Any]) -> Drawn:
        category = row.get("category_id")
        number = row.get("id")
        if not _key(category) or category not in self.names:
            fault = Fault(0, "class-unknown", f"annotation {number!r}: no category {category!r}")
            return Drawn(0, fault, fault, "")
        label = self.names[category]
        values = _bbox(row.get("bbox"))
        if isinstance(values, str):
            return Drawn(0, label, Fault(0, "box-value", f"annotation {number!r}: {values}"), "")
        shown = f"annotation {number!r}, box of {label!r} at {', '.join(f'{value:g}' for value in values)}"
        x, y, width, height = values
        corners: Corners | Fault = (x, y, x + width, y + height)
        if width < 0 or height < 0:
            corners = Fault(0, "box-swapped", f"{shown}: a negative size")
        elif width == 0 or height == 0:
            corners = Fault(0, "box-degenerate", f"{shown} has no area")
        return Drawn(0, label, corners, shown)


def _key(value: object) -> bool:
    """Whether a value can be an id."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def _size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = row.get("width"), row.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def _bbox(value: object) -> tuple[float, ...] | str:
    if not isinstance(value, list) or len(value) != len(_FIELDS):
        return "bbox must be x, y, width, height"
    found = numbers(0, list(zip(_FIELDS, value, strict=True)))
    return found.message if isinstance(found, Fault) else found
