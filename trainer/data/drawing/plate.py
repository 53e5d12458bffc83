"""The plate around a counter: print, serial numbers, bar codes, screws and dials, and none of it labelled."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

from trainer.data.drawing.styles import Colour, Look

Area = tuple[int, int, int, int]

_UNITS = ("kWh", "m3", "m3", "kWh", "MWh", "kvarh", "bar")  # the bundled font has no superscript three
_PRINT = (
    "WATT-HOUR METER", "CLASS 2", "230 V  50 Hz", "3x230/400 V", "10(60) A", "Qn 2.5", "Q3 4.0  R160",
    "PN 16", "T30", "T50", "IP 54", "EN 1359", "imp/kWh", "r/kWh", "MADE IN EU", "TYPE", "GAS", "COLD WATER",
    "CE M 19", "Pmax 0.5 bar", "Vc 1.2 dm3", "Single phase", "Do not open", "WATER", "2.5 m3/h",
)  # fmt: skip


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_plate(size: tuple[int, int], look: Look, rng: Random) -> Image.Image:
    """An empty plate of ``size`` with light falling off to one side, sometimes set in a darker housing."""
    width, height = size
    corners = Image.new("RGB", (2, 2))
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        corners.putpixel((x, y), _scaled(look.plate, rng.uniform(0.86, 1.06)))
    plate = corners.resize(size, Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))
    draw = ImageDraw.Draw(plate)
    if rng.random() < 0.35:
        edge = rng.randint(4, max(5, height // 12))
        colour = _scaled(look.plate, rng.uniform(0.3, 0.75))
        draw.rectangle((0, 0, width - 1, height - 1), outline=colour, width=edge)
        line = _scaled(look.plate, 0.6)
        draw.rounded_rectangle((edge, edge, width - edge, height - edge), 6, outline=line, width=2)
    if rng.random() < 0.25:
        _brush(draw, size, look.plate, rng)
    return plate


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def _brush(draw: ImageDraw.ImageDraw, size: tuple[int, int], plate: Colour, rng: Random) -> None:
    for _ in range(size[1] // 2):
        y, x = rng.randrange(size[1]), rng.randrange(size[0])
        end = x + rng.randrange(size[0] // 2)
        draw.line((x, y, end, y), fill=_scaled(plate, rng.uniform(0.94, 1.04)))


def decorate(plate: Image.Image, counter: Area, digit_height: int, look: Look, rng: Random) -> None:
    """Print on the free parts of ``plate``; nothing touches ``counter``, nor another mark."""
    taken = [counter]
    _draw_unit(plate, counter, digit_height, look, rng, taken)
    if rng.random() < 0.2:
        _draw_places(plate, counter, digit_height, look, taken)
    if rng.random() < 0.25:
        _draw_barcode(plate, taken, rng)
    if rng.random() < 0.25:
        _draw_dial(plate, taken, look, rng)
    if rng.random() < 0.25:
        _draw_screws(plate, taken, look, rng)
    for _ in range(rng.randint(2, 6)):
        text = rng.choice(_PRINT) if rng.random() < 0.65 else _serial(rng)
        size = round(digit_height * rng.uniform(0.22, 0.5))
        _print_somewhere(plate, text, max(8, size), taken, look.print_colour, rng)


def _serial(rng: Random) -> str:
    number = "".join(str(rng.randrange(10)) for _ in range(rng.randint(5, 9)))
    return rng.choice(("No. ", "Nr. ", "SN ", "", "No ")) + number


def _free(area: Area, taken: list[Area], size: tuple[int, int]) -> bool:
    inside = area[0] >= 2 and area[1] >= 2 and area[2] <= size[0] - 2 and area[3] <= size[1] - 2
    return inside and not any(
        area[0] < other[2] + 4
        and other[0] < area[2] + 4
        and area[1] < other[3] + 3
        and other[1] < area[3] + 3
        for other in taken
    )


def _place(size: tuple[int, int], taken: list[Area], plate: tuple[int, int], rng: Random) -> Area | None:
    """A free area of ``size``, or None after a few throws."""
    for _ in range(8):
        x, y = rng.randrange(max(1, plate[0] - size[0])), rng.randrange(max(1, plate[1] - size[1]))
        area = (x, y, x + size[0], y + size[1])
        if _free(area, taken, plate):
            taken.append(area)
            return area
    return None


def _text_size(text: str, size: int) -> tuple[int, int]:
    left, top, right, bottom = _font(size).getbbox(text)
    return math.ceil(right - left), math.ceil(bottom - top)


def _print(plate: Image.Image, text: str, size: int, place: tuple[int, int], colour: Colour) -> None:
    left, top, *_ = _font(size).getbbox(text)
    ImageDraw.Draw(plate).text((place[0] - left, place[1] - top), text, fill=colour, font=_font(size))


def _print_somewhere(
    plate: Image.Image, text: str, size: int, taken: list[Area], colour: Colour, rng: Random
) -> None:
    area = _place(_text_size(text, size), taken, plate.size, rng)
    if area is not None:
        _print(plate, text, size, area[:2], colour)


def _draw_unit(
    plate: Image.Image, counter: Area, digit_height: int, look: Look, rng: Random, taken: list[Area]
) -> None:
    """The unit to the right of the counter where there is room, else above or below its end."""
    text, size = rng.choice(_UNITS), max(9, round(digit_height * rng.uniform(0.4, 0.75)))
    width, height = _text_size(text, size)
    middle = (counter[1] + counter[3] - height) // 2
    for x, y in (
        (counter[2] + 8, middle),
        (counter[2] - width, counter[3] + 6),
        (counter[2] - width, counter[1] - 6 - height),
    ):
        area = (x, y, x + width, y + height)
        if _free(area, taken, plate.size):
            taken.append(area)
            _print(plate, text, size, (x, y), look.print_colour)
            return


def _draw_places(plate: Image.Image, counter: Area, digit_height: int, look: Look, taken: list[Area]) -> None:
    """Small 1000, 100, 10, 1 above the wheels."""
    size = max(7, round(digit_height * 0.2))
    whole = look.digits - look.decimals
    step = (counter[2] - counter[0]) / look.digits
    for index in range(max(0, whole - 4), whole):
        text = str(10 ** (whole - 1 - index))
        width, height = _text_size(text, size)
        x, y = round(counter[0] + (index + 0.5) * step - width / 2), counter[1] - height - 5
        area = (x, y, x + width, y + height)
        if _free(area, taken, plate.size):
            taken.append(area)
            _print(plate, text, size, (x, y), look.print_colour)


def _draw_barcode(plate: Image.Image, taken: list[Area], rng: Random) -> None:
    height = rng.randint(10, 26)
    area = _place((rng.randint(60, 140), height), taken, plate.size, rng)
    if area is None:
        return
    draw = ImageDraw.Draw(plate)
    draw.rectangle(area, fill=(240, 240, 236))
    x = area[0] + 4
    while x < area[2] - 6:
        bar = rng.randint(1, 3)
        draw.rectangle((x, area[1] + 2, x + bar - 1, area[3] - 3), fill=(25, 25, 28))
        x += bar + rng.randint(1, 3)


def _draw_dial(plate: Image.Image, taken: list[Area], look: Look, rng: Random) -> None:
    """A small red pointer on a ring, as water meters have for the litres."""
    size = rng.randint(24, 56)
    area = _place((size, size), taken, plate.size, rng)
    if area is None:
        return
    draw = ImageDraw.Draw(plate)
    draw.ellipse(area, outline=look.print_colour, width=2)
    centre = ((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)
    for step in range(10):
        tick = math.radians(36 * step)
        inner, outer = 0.38 * size, 0.46 * size
        ends = [(centre[0] + r * math.cos(tick), centre[1] + r * math.sin(tick)) for r in (inner, outer)]
        draw.line(ends, fill=look.print_colour)
    angle = math.radians(rng.uniform(0, 360))
    tip = (centre[0] + 0.36 * size * math.cos(angle), centre[1] + 0.36 * size * math.sin(angle))
    side = (-0.08 * size * math.sin(angle), 0.08 * size * math.cos(angle))
    base = [(centre[0] + s * side[0], centre[1] + s * side[1]) for s in (-1, 1)]
    draw.polygon([tip, *base], fill=(195, 35, 30))


def _draw_screws(plate: Image.Image, taken: list[Area], look: Look, rng: Random) -> None:
    radius = rng.randint(5, 11)
    y = rng.choice((radius + 6, plate.height - radius - 6))
    for x in (radius + 8, plate.width - radius - 8):
        area = (x - radius, y - radius, x + radius, y + radius)
        if not _free(area, taken, plate.size):
            continue
        taken.append(area)
        draw = ImageDraw.Draw(plate)
        draw.ellipse(area, fill=_scaled(look.plate, 0.62), outline=_scaled(look.plate, 0.35))
        angle = math.radians(rng.uniform(0, 180))
        dx, dy = 0.7 * radius * math.cos(angle), 0.7 * radius * math.sin(angle)
        draw.line((x - dx, y - dy, x + dx, y + dy), fill=_scaled(look.plate, 0.25), width=2)
