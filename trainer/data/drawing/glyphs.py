"""Digits as masks: stroked skeletons in several hands, seven segments, and Pillow's own bundled font.

Skeletons live in a unit square, y downwards; a hand bends, thickens and slants them. Fonts of the system are
never asked: they differ from machine to machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageChops, ImageDraw, ImageFont

Point = tuple[float, float]
Path = list[Point]
Family = Literal["stroke", "segments", "font"]

_OVERSAMPLING = 4
_STEPS = 14


@dataclass(frozen=True, slots=True)
class Hand:
    """How digits are written. ``weight`` is the stroke as a share of the digit height, ``slant`` a shear.

    ``squareness`` is the exponent of the superellipses that bows are made of: 2 is round, 4 nearly a box.
    """

    family: Family = "stroke"
    weight: float = 0.13
    squareness: float = 2.3
    slant: float = 0.0
    round_ends: bool = True
    footed_one: bool = False
    open_four: bool = False
    flat_three: bool = False


def _bow(centre: Point, radii: Point, start: float, end: float, squareness: float) -> Path:
    """Points of a superellipse from ``start`` to ``end`` degrees; 0 is right, 90 down."""
    points = []
    for step in range(_STEPS + 1):
        angle = math.radians(start + (end - start) * step / _STEPS)
        unit = (math.cos(angle), math.sin(angle))
        x, y = (math.copysign(abs(value) ** (2 / squareness), value) for value in unit)
        points.append((centre[0] + radii[0] * x, centre[1] + radii[1] * y))
    return points


def _bend(first: Point, second: Point, third: Point, fourth: Point) -> Path:
    """Points of a cubic Bezier curve."""
    points = []
    for step in range(_STEPS + 1):
        t = step / _STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        corners = (first, second, third, fourth)
        x, y = (sum(w * corner[axis] for w, corner in zip(weights, corners, strict=True)) for axis in (0, 1))
        points.append((x, y))
    return points


def _turned(paths: list[Path]) -> list[Path]:
    return [[(1 - x, 1 - y) for x, y in path] for path in paths]


def _zero(hand: Hand) -> list[Path]:
    top = _bow((0.5, 0.3), (0.5, 0.3), 180, 360, hand.squareness)
    bottom = _bow((0.5, 0.7), (0.5, 0.3), 0, 180, hand.squareness)
    return [[*top, *bottom, top[0]]]


def _one(hand: Hand) -> list[Path]:
    stem: Path = [(0.18, 0.22), (0.56, 0.0), (0.56, 1.0)]
    return [stem, [(0.2, 1.0), (0.92, 1.0)]] if hand.footed_one else [stem]


def _two(hand: Hand) -> list[Path]:
    bow = _bow((0.5, 0.29), (0.49, 0.29), 188, 360, hand.squareness)
    return [[*bow, *_bend(bow[-1], (0.98, 0.56), (0.12, 0.7), (0.02, 1.0)), (1.0, 1.0)]]


def _three(hand: Hand) -> list[Path]:
    if hand.flat_three:
        bow = _bow((0.48, 0.68), (0.5, 0.32), -80, 155, hand.squareness)
        return [[(0.06, 0.0), (0.94, 0.0), (0.42, 0.38), *bow]]
    top = _bow((0.48, 0.245), (0.46, 0.245), 200, 450, hand.squareness)
    bottom = _bow((0.48, 0.735), (0.51, 0.265), -90, 158, hand.squareness)
    return [[*top, *bottom]]


def _four(hand: Hand) -> list[Path]:
    if hand.open_four:
        return [[(0.3, 0.0), (0.04, 0.66), (1.0, 0.66)], [(0.72, 0.36), (0.72, 1.0)]]
    return [[(0.74, 1.0), (0.74, 0.0), (0.0, 0.7), (1.0, 0.7)]]


def _five(hand: Hand) -> list[Path]:
    bow = _bow((0.48, 0.67), (0.5, 0.33), 222, 515, hand.squareness)
    return [[(0.92, 0.0), (0.16, 0.0), (0.09, 0.47), *bow]]


def _six(hand: Hand) -> list[Path]:
    bowl = _bow((0.5, 0.69), (0.5, 0.31), 180, 540, hand.squareness)
    return [bowl, _bend((0.9, 0.12), (0.72, -0.1), (0.0, -0.1), (0.0, 0.69))]


def _seven(_hand: Hand) -> list[Path]:
    return [[(0.0, 0.0), (0.98, 0.0), *_bend((0.98, 0.0), (0.7, 0.3), (0.42, 0.6), (0.36, 1.0))]]


def _eight(hand: Hand) -> list[Path]:
    top = _bow((0.5, 0.245), (0.44, 0.245), 0, 360, hand.squareness)
    return [top, _bow((0.5, 0.735), (0.5, 0.265), 0, 360, hand.squareness)]


def _nine(hand: Hand) -> list[Path]:
    return _turned(_six(hand))


_SKELETONS: tuple[Callable[[Hand], list[Path]], ...] = (
    _zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine
)  # fmt: skip

_SEGMENTS: tuple[str, ...] = (
    "abcdef",
    "bc",
    "abged",
    "abgcd",
    "fgbc",
    "afgcd",
    "afgedc",
    "abc",
    "abcdefg",
    "abcdfg",
)
_SEGMENT_ENDS: dict[str, tuple[Point, Point]] = {
    "a": ((0.0, 0.0), (1.0, 0.0)),
    "b": ((1.0, 0.0), (1.0, 0.5)),
    "c": ((1.0, 0.5), (1.0, 1.0)),
    "d": ((0.0, 1.0), (1.0, 1.0)),
    "e": ((0.0, 0.5), (0.0, 1.0)),
    "f": ((0.0, 0.0), (0.0, 0.5)),
    "g": ((0.0, 0.5), (1.0, 0.5)),
}


@lru_cache(maxsize=4096)
def digit_mask(hand: Hand, digit: int, width: int, height: int) -> Image.Image:
    """The ink of ``digit`` in a cell of ``width`` x ``height`` pixels, mode L, 255 where the ink is full."""
    size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    if hand.family == "font":
        large = _font_mask(digit, size, hand.weight)
    else:
        paths = _segment_paths(_SEGMENTS[digit]) if hand.family == "segments" else _SKELETONS[digit](hand)
        large = _stroked(paths, size, hand)
    return large.resize((width, height), Image.Resampling.BOX)


@lru_cache(maxsize=256)
def ghost_mask(hand: Hand, width: int, height: int) -> Image.Image:
    """All seven segments, as an LCD shows them faintly where they are off."""
    return digit_mask(hand, 8, width, height)


def _segment_paths(names: str) -> list[Path]:
    """Each segment a little short of its neighbours, as on glass."""
    paths: list[Path] = []
    for name in names:
        (x0, y0), (x1, y1) = _SEGMENT_ENDS[name]
        gap_x, gap_y = 0.09 * (x1 - x0), 0.07 * (y1 - y0)
        paths.append([(x0 + gap_x, y0 + gap_y), (x1 - gap_x, y1 - gap_y)])
    return paths


def _stroked(paths: list[Path], size: tuple[int, int], hand: Hand) -> Image.Image:
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    width, height = size
    stroke = max(2, round(hand.weight * height))
    lean = abs(hand.slant) * height
    inner = (width - stroke - lean, height - stroke)
    for path in paths:
        points = []
        for x, y in path:
            shear = hand.slant * height * (0.5 - y)
            points.append((width / 2 + (x - 0.5) * inner[0] + shear, stroke / 2 + y * inner[1]))
        draw.line(points, fill=255, width=stroke, joint="curve")
        if hand.round_ends or path[0] == path[-1]:  # a closed bow has no ends to show
            for x, y in (points[0], points[-1]):
                draw.ellipse((x - stroke / 2, y - stroke / 2, x + stroke / 2, y + stroke / 2), fill=255)
    return mask


def _font_mask(digit: int, size: tuple[int, int], weight: float) -> Image.Image:
    """The bundled font's digit, stretched to fill the cell; ``weight`` above 0.1 thickens it."""
    text, points = str(digit), 220
    font = ImageFont.load_default(points)
    bold = max(0, round((weight - 0.1) * points))
    left, top, right, bottom = font.getbbox("0", stroke_width=bold)
    own = font.getbbox(text, stroke_width=bold)
    cell = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
    offset = ((cell.width - (own[2] - own[0])) / 2 - own[0], -top)
    ImageDraw.Draw(cell).text(offset, text, fill=255, font=font, stroke_width=bold)
    return cell.resize(size, Image.Resampling.BILINEAR)


def overlay(
    base: Image.Image, mask: Image.Image, position: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Paint ``colour`` through ``mask`` onto ``base``; parts outside ``base`` are cut off."""
    base.paste(colour, (*position, position[0] + mask.width, position[1] + mask.height), mask)


def faint(mask: Image.Image, strength: float) -> Image.Image:
    """``mask`` scaled down to ``strength`` in 0..1."""
    return ImageChops.multiply(mask, Image.new("L", mask.size, round(255 * strength)))
