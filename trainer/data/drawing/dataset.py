"""A whole dataset of drawn counters as a Pascal VOC folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from PIL import Image

from trainer.data.drawing.counter import draw_counter, geometry, sample_positions
from trainer.data.drawing.effects import choose_view, photograph, visible_box, warp
from trainer.data.drawing.plate import decorate, draw_plate
from trainer.data.drawing.styles import sample_look
from trainer.errors import InputError

MINIMUM_COUNT = 10
_OVERSAMPLING = 1.35


@dataclass(frozen=True, slots=True)
class Mark:
    """One digit in the picture: 0-based, half-open whole pixels."""

    label: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture with the marks of its digits, left to right."""

    picture: Image.Image
    marks: tuple[Mark, ...]
    quality: int

    @property
    def reading(self) -> str:
        return "".join(mark.label for mark in self.marks)


def draw_picture(seed: int, index: int) -> Drawing:
    """The ``index``-th picture of ``seed``; no picture depends on another."""
    rng = Random(f"counters/{seed}/{index}")  # noqa: S311  (a drawing, not a secret)
    look = sample_look(rng)
    size, canvas_size = _sample_sizes(rng)
    shape = geometry(look, _digit_height(look.digits * look.wheel_width + 0.5, canvas_size, rng))
    free = (canvas_size[0] - shape.width(look.digits), canvas_size[1] - shape.height)
    origin = (round(free[0] * rng.uniform(0.25, 0.75)), round(free[1] * rng.uniform(0.3, 0.7)))
    canvas = draw_plate(canvas_size, look, rng)
    cells = draw_counter(canvas, look, shape, origin, sample_positions(look, rng))
    right, bottom = origin[0] + shape.width(look.digits), origin[1] + shape.height
    decorate(canvas, (*origin, right, bottom), shape.digit[1], look, rng)
    view = choose_view(canvas_size, size, cells, rng)
    picture = photograph(warp(canvas, view, size), rng)
    marks = tuple(_mark(cell.label, visible_box(cell, view), size) for cell in cells)
    return Drawing(picture, marks, rng.randint(45, 93))


def _sample_sizes(rng: Random) -> tuple[tuple[int, int], tuple[int, int]]:
    """Picture and canvas size; the canvas is larger, so that turning it costs no sharpness."""
    width = round(200 + 550 * rng.random() ** 1.5)
    height = round(width / rng.uniform(2.1, 3.2))
    return (width, height), (round(width * _OVERSAMPLING), round(height * _OVERSAMPLING))


def _digit_height(wheels: float, canvas: tuple[int, int], rng: Random) -> int:
    """Digit height in canvas pixels: ``wheels`` (the counter in digit heights) fill 50-78 % of the width."""
    by_width = canvas[0] * rng.uniform(0.5, 0.78) / wheels
    return max(16, round(min(by_width / 1.12, canvas[1] * 0.38)))


def _mark(label: str, box: tuple[float, float, float, float], size: tuple[int, int]) -> Mark:
    xmin, ymin = max(0, round(box[0])), max(0, round(box[1]))
    xmax, ymax = min(size[0], round(box[2])), min(size[1], round(box[3]))
    return Mark(label, xmin, ymin, max(xmin + 2, xmax), max(ymin + 2, ymax))


def draw_dataset(folder: Path, count: int, seed: int) -> None:
    """Write ``count`` pictures with annotations, lists of 80/10/10 % and ``readings.csv`` into ``folder``.

    Raises ``InputError`` if ``count`` is below 10 or ``folder`` holds anything already.
    """
    if count < MINIMUM_COUNT:
        raise InputError(f"--count {count}: at least {MINIMUM_COUNT}, or a split would be empty")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty: name a new folder, nothing is overwritten")
    for name in ("JPEGImages", "Annotations", "ImageSets"):
        (folder / name).mkdir(parents=True)
    readings = ["image,reading"]
    for index in range(count):
        stem = f"counter{index:05d}"
        drawing = draw_picture(seed, index)
        drawing.picture.save(folder / "JPEGImages" / f"{stem}.jpg", quality=drawing.quality)
        _write(folder / "Annotations" / f"{stem}.xml", "".join(_annotation(stem, drawing)))
        readings.append(f"{stem},{drawing.reading}")
    _write(folder / "readings.csv", "\n".join(readings) + "\n")
    for split, indices in _split_ranges(count).items():
        stems = "".join(f"counter{index:05d}\n" for index in indices)
        _write(folder / "ImageSets" / f"{split}.txt", stems)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _split_ranges(count: int) -> dict[str, range]:
    """Pictures are independent of each other, so that consecutive ranges are as good as a drawing."""
    tenth = count // 10
    train, validation = count - 2 * tenth, count - tenth
    return {"train": range(train), "val": range(train, validation), "test": range(validation, count)}


def _annotation(stem: str, drawing: Drawing) -> Iterator[str]:
    """VOC counts from 1 and includes the last pixel: 1 more on the minima, the maxima as they are."""
    width, height = drawing.picture.size
    yield f"<annotation>\n  <folder>JPEGImages</folder>\n  <filename>{escape(stem)}.jpg</filename>\n"
    yield f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
    for mark in drawing.marks:
        corners = {"xmin": mark.xmin + 1, "ymin": mark.ymin + 1, "xmax": mark.xmax, "ymax": mark.ymax}
        box = "".join(f"<{name}>{value}</{name}>" for name, value in corners.items())
        yield f"  <object><name>{mark.label}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>\n"
    yield "</annotation>\n"
