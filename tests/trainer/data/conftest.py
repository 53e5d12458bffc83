"""A small VOC folder that tests break in one place each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

Row = tuple[str, float | str, float | str, float | str, float | str]


@dataclass
class Folder:
    """Writes pictures and annotations below ``root`` in the given folder spellings."""

    root: Path
    images: str = "JPEGImages"
    annotations: str = "Annotations"
    size: tuple[int, int] = (64, 48)
    _colour: int = field(default=0)

    def picture(self, stem: str, suffix: str = ".jpg", size: tuple[int, int] | None = None) -> Path:
        """Write a picture no other call writes."""
        self._colour += 1
        path = self.root / self.images / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", size or self.size, (self._colour % 256, self._colour * 7 % 256, 90))
        picture.putpixel((0, 0), (self._colour * 13 % 256, self._colour // 256, 0))
        picture.save(path, format="PNG" if suffix == ".png" else "JPEG")
        return path

    def annotation(
        self, stem: str, boxes: Sequence[Row] = (("a", 5, 6, 20, 30),), size: tuple[int, int] | None = None
    ) -> Path:
        """Write an annotation with one object a line, the first on line 3."""
        width, height = size or self.size
        lines = ["<annotation>", f"<size><width>{width}</width><height>{height}</height></size>"]
        for label, *corners in boxes:
            names = ("xmin", "ymin", "xmax", "ymax")
            box = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, corners, strict=True))
            lines.append(f"<object><name>{label}</name><bndbox>{box}</bndbox></object>")
        return self.xml(stem, "\n".join([*lines, "</annotation>"]))

    def xml(self, stem: str, text: str) -> Path:
        path = self.root / self.annotations / f"{stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def pair(self, *stems: str) -> None:
        for stem in stems:
            self.picture(stem)
            self.annotation(stem)

    def split(self, name: str, ids: Iterable[str], folder: str = "ImageSets") -> Path:
        path = self.root / folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in ids), encoding="utf-8")
        return path


@pytest.fixture
def voc(tmp_path: Path) -> Folder:
    """An empty dataset folder."""
    return Folder(tmp_path / "dataset")


@pytest.fixture
def sound(voc: Folder) -> Folder:
    """Six sound pictures: a-d train, e validation, f test."""
    voc.pair("a", "b", "c", "d", "e", "f")
    voc.split("train", "abcd")
    voc.split("val", "e")
    voc.split("test", "f")
    return voc
