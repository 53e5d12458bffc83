"""A toy dataset of coloured rectangles that a detector learns in seconds, and one training on it."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image, ImageDraw

from trainer.torchvision_remedy import ensure_torchvision

# Lightning is imported by the test modules: what the training does first has to happen before that.
ensure_torchvision()
# These networks are tiny: a second thread costs more than it brings, the more so beside other work.
torch.set_num_threads(1)

COLOURS = {"1": (220, 60, 50), "2": (50, 190, 70), "3": (60, 90, 230)}


def draw_rectangles(
    folder: Path, count: int, *, size: tuple[int, int] = (128, 64), seed: int = 5, top: int = 0
) -> Path:
    """Write a Pascal VOC folder of ``count`` pictures of three rectangles, side by side below ``top``."""
    random = Random(seed)
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for number in range(count):
        grey = random.randrange(20, 90)
        picture = Image.new("RGB", size, (grey, grey, grey))
        draw = ImageDraw.Draw(picture)
        objects = ""
        for place in range(3):
            name = random.choice(sorted(COLOURS))
            x1, y1 = place * 42 + random.randrange(3, 10), top + random.randrange(6, 20)
            x2, y2 = x1 + random.randrange(18, 28), y1 + random.randrange(24, 38)
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), fill=COLOURS[name])
            objects += (
                f"<object><name>{name}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
                f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            )
        stem = f"toy{number:03d}"
        picture.save(folder / "JPEGImages" / f"{stem}.png")
        (folder / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
            f"{objects}</annotation>",
            encoding="utf-8",
        )
    return folder


def tilt_rectangles(folder: Path, *, degrees: float, seed: int = 6) -> Path:
    """Turn every picture of ``folder`` by up to ``degrees`` either way; boxes become their upright hulls."""
    random = Random(seed)
    for path in sorted((folder / "JPEGImages").iterdir()):
        angle = random.uniform(-degrees, degrees)
        with Image.open(path) as picture:
            centre, grey = (picture.width / 2, picture.height / 2), picture.getpixel((0, 0))
            picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=grey).save(path)
        annotation = folder / "Annotations" / f"{path.stem}.xml"
        tree = ElementTree.parse(annotation)
        for box in tree.iter("bndbox"):
            _turn(box, angle, centre)
        tree.write(annotation)
    return folder


def _turn(box: ElementTree.Element, angle: float, centre: tuple[float, float]) -> None:
    """Pillow turns counter-clockwise, on an axis that points down."""
    sides = {side.tag: float(side.text or "") - centre["y" in side.tag] for side in box}
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = [(sides[x], sides[y]) for x in ("xmin", "xmax") for y in ("ymin", "ymax")]
    xs = [centre[0] + x * cosine + y * sine for x, y in corners]
    ys = [centre[1] - x * sine + y * cosine for x, y in corners]
    hull = {"xmin": min(xs), "ymin": min(ys), "xmax": max(xs), "ymax": max(ys)}
    for side in box:
        side.text = f"{min(max(hull[side.tag], 1), 2 * centre['y' in side.tag]):.0f}"


@pytest.fixture(scope="session")
def rectangles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of rectangles of the classes 1, 2 and 3."""
    return draw_rectangles(tmp_path_factory.mktemp("rectangles") / "data", 40)


@pytest.fixture(scope="session")
def tilted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of rows of rectangles, tilted by up to thirty degrees."""
    folder = tmp_path_factory.mktemp("tilted") / "data"
    return tilt_rectangles(draw_rectangles(folder, 60, size=(128, 128), top=32), degrees=30)
