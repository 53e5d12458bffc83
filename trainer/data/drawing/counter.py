"""The counter itself: its wheels at their positions, its window, and the exact cell of every digit shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image, ImageChops, ImageDraw

from trainer.data.drawing.glyphs import digit_mask, faint, ghost_mask, overlay
from trainer.data.drawing.styles import Colour, Look

TURNING_SHARE = 0.15
"""Counters whose last wheel stands between two digits."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a digit shows, in canvas pixels: its cell as far as the window leaves it visible."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Geometry:
    """A look in whole pixels for one digit height."""

    digit: tuple[int, int]
    wheel: tuple[int, int]
    gap: int
    pitch: float
    margin: int

    def width(self, digits: int) -> int:
        return digits * self.wheel[0] + (digits - 1) * self.gap + 2 * self.margin

    @property
    def height(self) -> int:
        return self.wheel[1] + 2 * self.margin


def geometry(look: Look, digit_height: int) -> Geometry:
    """Round the shares of ``look`` to pixels; at least one pixel parts two wheels of a drum counter."""
    return Geometry(
        digit=(round(look.digit_width * digit_height), digit_height),
        wheel=(round(look.wheel_width * digit_height), round(look.window_height * digit_height)),
        gap=max(1, round(look.wheel_gap * digit_height)) if look.kind == "drums" else 0,
        pitch=look.pitch * digit_height,
        margin=max(3, round(0.16 * digit_height)),
    )


def sample_positions(look: Look, rng: Random) -> tuple[float, ...]:
    """Where each wheel stands: 3.4 is the 3 turned four tenths towards the 4.

    Wheels sit a little off their digit; sometimes the last one is on its way, and from 9 on it carries its
    neighbour. Nothing stands closer to the half than 0.08: there the label would be a matter of taste.
    """
    digits = [rng.randrange(10) for _ in range(look.digits)]
    if look.kind == "lcd":
        return tuple(float(digit) for digit in digits)
    offsets = [rng.uniform(-0.05, 0.05) for _ in digits]
    if rng.random() < TURNING_SHARE:
        turn = rng.uniform(0.12, 0.42) if rng.random() < 0.5 else rng.uniform(0.58, 0.88)
        for index in reversed(range(len(digits))):
            offsets[index] = turn
            if digits[index] != 9:
                break
    return tuple((digit + offset) % 10 for digit, offset in zip(digits, offsets, strict=True))


def shown_digit(position: float) -> int:
    """The digit of which more is to be seen."""
    return math.floor(position + 0.5) % 10


def draw_counter(
    canvas: Image.Image, look: Look, shape: Geometry, origin: tuple[int, int], positions: Sequence[float]
) -> list[Cell]:
    """Paint the counter with its top left corner at ``origin`` and return the cells from left to right."""
    _draw_frame(canvas, look, shape, origin)
    top = origin[1] + shape.margin
    cells = []
    for index, position in enumerate(positions):
        left = origin[0] + shape.margin + index * (shape.wheel[0] + shape.gap)
        decimal = index >= look.digits - look.decimals
        if look.kind == "lcd":
            _draw_segments(canvas, look, shape, (left, top), shown_digit(position))
        else:
            canvas.paste(_wheel(look, shape, position, decimal), (left, top))
            if look.frame == "slots":
                box = (left - 1, top - 1, left + shape.wheel[0], top + shape.wheel[1])
                ImageDraw.Draw(canvas).rectangle(box, outline=look.frame_colour)
        cells.append(_cell(shape, (left, top), position))
    _draw_point(canvas, look, shape, origin)
    return cells


def _draw_frame(canvas: Image.Image, look: Look, shape: Geometry, origin: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = origin
    right, bottom = left + shape.width(look.digits) - 1, top + shape.height - 1
    radius = shape.margin // 2
    if look.kind == "lcd":
        draw.rounded_rectangle((left, top, right, bottom), radius, fill=look.frame_colour)
        inset = max(2, shape.margin // 3)
        draw.rectangle((left + inset, top + inset, right - inset, bottom - inset), fill=look.wheel)
        return
    if look.frame == "bezel":
        draw.rounded_rectangle((left, top, right, bottom), radius, fill=look.frame_colour)
        draw.line((left + radius, bottom, right - radius, bottom), fill=_mixed(look.frame_colour, 255, 0.35))
    elif look.frame == "inset":
        draw.rectangle((left, top, right, bottom), fill=_mixed(look.plate, 0, 0.35))
        draw.rectangle((left + 2, top + 2, right, bottom), fill=_mixed(look.plate, 255, 0.35))
        inset = shape.margin - 2
        draw.rectangle((left + inset, top + inset, right - inset, bottom - inset), fill=look.frame_colour)
    if look.decimals and look.decimal_wheel == look.wheel and look.frame != "slots":
        first = left + shape.margin + (look.digits - look.decimals) * (shape.wheel[0] + shape.gap)
        border = max(2, shape.margin // 2)
        box = (
            first - shape.gap - 1,
            top + shape.margin - border,
            right - border,
            bottom - shape.margin + border,
        )
        draw.rectangle(box, outline=(190, 30, 30), width=border)


def _mixed(colour: Colour, level: int, share: float) -> Colour:
    red, green, blue = (round(part + (level - part) * share) for part in colour)
    return red, green, blue


def _wheel(look: Look, shape: Geometry, position: float, decimal: bool) -> Image.Image:
    """One wheel as the window shows it: the digit, the ends of its neighbours, the shade of the drum."""
    paper, ink = (look.decimal_wheel, look.decimal_ink) if decimal else (look.wheel, look.ink)
    tile = Image.new("RGB", shape.wheel, paper)
    base = math.floor(position)
    for digit in (base - 1, base, base + 1, base + 2):
        centre = shape.wheel[1] / 2 + (digit - position) * shape.pitch
        place = ((shape.wheel[0] - shape.digit[0]) // 2, round(centre - shape.digit[1] / 2))
        if -shape.digit[1] < place[1] < shape.wheel[1]:
            overlay(tile, digit_mask(look.hand, digit % 10, *shape.digit), place, ink)
    return ImageChops.multiply(tile, _drum_shade(shape.wheel, round(look.shading, 1)))


@lru_cache(maxsize=512)
def _drum_shade(size: tuple[int, int], strength: float) -> Image.Image:
    """Darker towards top and bottom, where the drum turns away, and at its two rims."""
    width, height = size
    column = Image.new("L", (1, height))
    for row in range(height):
        distance = abs(2 * (row + 0.5) / height - 1)
        column.putpixel((0, row), round(255 * (1 - strength * distance**3)))
    shade = column.resize(size)
    draw = ImageDraw.Draw(shade)
    for column_index in (0, width - 1):
        draw.line((column_index, 0, column_index, height), fill=round(255 * (1 - 0.6 * strength)))
    return Image.merge("RGB", (shade, shade, shade))


def _draw_segments(
    canvas: Image.Image, look: Look, shape: Geometry, place: tuple[int, int], digit: int
) -> None:
    left = place[0] + (shape.wheel[0] - shape.digit[0]) // 2
    top = place[1] + (shape.wheel[1] - shape.digit[1]) // 2
    overlay(canvas, faint(ghost_mask(look.hand, *shape.digit), 0.06), (left, top), look.ink)
    overlay(canvas, digit_mask(look.hand, digit, *shape.digit), (left, top), look.ink)


def _cell(shape: Geometry, place: tuple[int, int], position: float) -> Cell:
    digit = shown_digit(position)
    shift = (math.floor(position + 0.5) - position) * shape.pitch
    centre = place[1] + shape.wheel[1] / 2 + shift
    left = place[0] + (shape.wheel[0] - shape.digit[0]) // 2
    top = max(place[1], round(centre - shape.digit[1] / 2))
    bottom = min(place[1] + shape.wheel[1], round(centre - shape.digit[1] / 2) + shape.digit[1])
    return Cell(str(digit), left, top, left + shape.digit[0], bottom)


def _draw_point(canvas: Image.Image, look: Look, shape: Geometry, origin: tuple[int, int]) -> None:
    """The decimal point: a dot on glass, a comma painted between the drums."""
    if not look.decimals:
        return
    centre = (
        origin[0]
        + shape.margin
        + (look.digits - look.decimals) * (shape.wheel[0] + shape.gap)
        - shape.gap / 2
    )
    radius = max(1.5, 0.06 * shape.digit[1])
    bottom = origin[1] + shape.margin + (shape.wheel[1] + shape.digit[1]) / 2
    if look.kind == "lcd":
        ImageDraw.Draw(canvas).ellipse(
            (centre - radius, bottom - 2 * radius, centre + radius, bottom), fill=look.ink
        )
    elif shape.gap > 3 * radius:
        box = (centre - radius, bottom - radius, centre + radius, bottom + radius)
        ImageDraw.Draw(canvas).ellipse(box, fill=_mixed(look.frame_colour, 255, 0.8))
