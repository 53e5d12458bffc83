"""What a camera does to a counter: perspective, light, glass, blur, noise.

Only additions, multiplications and divisions happen to pixels (no vectorised exp or sin, whose last bit
differs from processor to processor), so that the same seed gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from trainer.data.drawing.counter import Cell

Pixels = npt.NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Homography:
    """A projective map of the plane: (a x + b y + c, d x + e y + f) / (g x + h y + 1)."""

    coefficients: tuple[float, ...]

    def __call__(self, point: Point) -> Point:
        a, b, c, d, e, f, g, h = self.coefficients
        scale = g * point[0] + h * point[1] + 1
        return (a * point[0] + b * point[1] + c) / scale, (d * point[0] + e * point[1] + f) / scale


def fit_homography(sources: Sequence[Point], targets: Sequence[Point]) -> Homography:
    """The one map that takes four points to four points, no three of them in a line."""
    rows: list[list[float]] = []
    values: list[float] = []
    for (x, y), (u, v) in zip(sources, targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return Homography(tuple(_solve(rows, values)))


def _solve(rows: list[list[float]], values: list[float]) -> list[float]:
    """Gauss elimination with pivots: eight unknowns need no LAPACK, whose rounding is the vendor's."""
    table = [[*row, value] for row, value in zip(rows, values, strict=True)]
    count = len(table)
    for step in range(count):
        pivot = max(range(step, count), key=lambda index: abs(table[index][step]))
        table[step], table[pivot] = table[pivot], table[step]
        for index in range(count):
            if index != step:
                factor = table[index][step] / table[step][step]
                table[index] = [a - factor * b for a, b in zip(table[index], table[step], strict=True)]
    return [table[index][count] / table[index][index] for index in range(count)]


def choose_view(
    canvas: tuple[int, int], size: tuple[int, int], cells: Sequence[Cell], rng: Random
) -> Homography:
    """A view that cuts no cell off: a few throws, then straight on. Maps canvas to picture pixels."""
    for _ in range(6):
        view = _sample_view(canvas, size, rng)
        boxes = [visible_box(cell, view) for cell in cells]
        if all(
            box[0] >= 1 and box[1] >= 1 and box[2] <= size[0] - 1 and box[3] <= size[1] - 1 for box in boxes
        ):
            return view
    (width, height), (right, bottom) = canvas, size
    return fit_homography(
        [(0, 0), (width, 0), (width, height), (0, height)], [(0, 0), (right, 0), (right, bottom), (0, bottom)]
    )


def _sample_view(canvas: tuple[int, int], size: tuple[int, int], rng: Random) -> Homography:
    """How the camera stands: a little turned and oblique, too close to see the edge of the plate."""
    width, height = canvas
    angle = math.radians(rng.gauss(0, 2.2))
    cosine, sine = math.cos(angle), math.sin(angle)
    zoom = 1.05 + abs(2.2 * sine)
    scale = (size[0] / width, size[1] / height)
    centre = (size[0] / 2, size[1] / 2)
    slack = 0.03 if rng.random() < 0.6 else 0.0
    corners: list[Point] = []
    for x, y in ((0, 0), (width, 0), (width, height), (0, height)):
        dx, dy = x - width / 2, y - height / 2
        turned = (cosine * dx - sine * dy, sine * dx + cosine * dy)
        jitter = (rng.uniform(-slack, slack) * width, rng.uniform(-2 * slack, 2 * slack) * height)
        corners.append(
            (
                centre[0] + scale[0] * (zoom * turned[0] + jitter[0]),
                centre[1] + scale[1] * (zoom * turned[1] + jitter[1]),
            )
        )
    return fit_homography([(0, 0), (width, 0), (width, height), (0, height)], corners)


def warp(canvas: Image.Image, view: Homography, size: tuple[int, int]) -> Image.Image:
    """The picture of ``size`` that ``view`` shows; what lies beyond the canvas repeats its middle tone."""
    corners: list[Point] = [(0, 0), (canvas.width, 0), (canvas.width, canvas.height), (0, canvas.height)]
    inverse = fit_homography([view(corner) for corner in corners], corners)
    # Pillow samples at pixel centres, as our boxes count: pixel 0 covers 0..1.
    return canvas.transform(
        size,
        Image.Transform.PERSPECTIVE,
        inverse.coefficients,
        Image.Resampling.BICUBIC,
        fillcolor=canvas.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)),
    )


def visible_box(cell: Cell, view: Homography) -> tuple[float, float, float, float]:
    """The upright rectangle around the four mapped corners of a cell, in picture pixels."""
    corners = [view((x, y)) for x in (cell.left, cell.right) for y in (cell.top, cell.bottom)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def photograph(picture: Image.Image, rng: Random) -> Image.Image:
    """Light, glass, lens and sensor, in this order."""
    if rng.random() < 0.35:
        picture = _reflect(picture, rng)
    if rng.random() < 0.3:
        picture = _cast_shadow(picture, rng)
    pixels: Pixels = np.asarray(picture, dtype=np.float32)
    pixels = _light(pixels, rng)
    if rng.random() < 0.4:
        pixels = _glare(pixels, rng)
    picture = _blur(_image(pixels), rng)
    strength = min(12.0, abs(rng.gauss(0, 5)))
    return _image(_noise(np.asarray(picture, dtype=np.float32), strength, rng))


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def _ramp(length: int, first: float, last: float) -> npt.NDArray[Any]:
    steps: npt.NDArray[np.float32] = np.arange(length, dtype=np.float32) / np.float32(max(1, length - 1))
    return np.float32(first) + steps * np.float32(last - first)


def _light(pixels: Pixels, rng: Random) -> Pixels:
    """A gain that falls across the picture, a colour of light, contrast and brightness."""
    height, width = pixels.shape[:2]
    across = _ramp(width, rng.uniform(0.8, 1.15), rng.uniform(0.8, 1.15))
    down = _ramp(height, rng.uniform(0.85, 1.1), rng.uniform(0.85, 1.1))
    warmth = rng.gauss(0, 0.04)
    tint = np.array([1 + warmth, 1 + rng.gauss(0, 0.015), 1 - warmth], dtype=np.float32)
    contrast, brightness = rng.uniform(0.65, 1.1), rng.uniform(-24, 18)
    lit = pixels * (down[:, None, None] * across[None, :, None]) * tint
    result: Pixels = (lit - np.float32(128)) * np.float32(contrast) + np.float32(128 + brightness)
    return result


def _glare(pixels: Pixels, rng: Random) -> Pixels:
    """One or two soft lights; the fall-off is rational, 1 / (1 + r²)²."""
    height, width = pixels.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    for _ in range(rng.randint(1, 2)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        wide, tall = rng.uniform(0.04, 0.13) * width, rng.uniform(0.08, 0.3) * height
        across = (columns.astype(np.float32) - np.float32(x)) / np.float32(wide)
        down = (rows.astype(np.float32) - np.float32(y)) / np.float32(tall)
        spread = 1 + across * across + down * down
        share = np.float32(rng.uniform(0.25, 0.75)) / (spread * spread)
        pixels = pixels + (np.float32(250) - pixels) * share[:, :, None]
    return pixels


def _band(size: tuple[int, int], rng: Random, level: int, blur: float) -> Image.Image:
    """A mask with a slanted soft band; drawn small, since it is soft anyway."""
    small = (max(8, size[0] // 4), max(8, size[1] // 4))
    mask = Image.new("L", small)
    left = rng.uniform(-0.2, 0.9) * small[0]
    width, lean = rng.uniform(0.08, 0.4) * small[0], rng.uniform(-0.8, 0.8) * small[1]
    corners = [(left, 0), (left + width, 0), (left + width + lean, small[1]), (left + lean, small[1])]
    ImageDraw.Draw(mask).polygon(corners, fill=level)
    return mask.filter(ImageFilter.GaussianBlur(blur)).resize(size, Image.Resampling.BILINEAR)


def _reflect(picture: Image.Image, rng: Random) -> Image.Image:
    mask = _band(picture.size, rng, rng.randint(30, 95), rng.uniform(0.5, 3))
    return Image.composite(Image.new("RGB", picture.size, (235, 240, 245)), picture, mask)


def _cast_shadow(picture: Image.Image, rng: Random) -> Image.Image:
    mask = _band(picture.size, rng, rng.randint(40, 130), rng.uniform(1, 4))
    return Image.composite(Image.new("RGB", picture.size, (12, 12, 16)), picture, mask)


def _blur(picture: Image.Image, rng: Random) -> Image.Image:
    """Out of focus, moved, or too small a sensor; most are nearly sharp. Radii follow the picture's size."""
    unit = picture.width / 400
    draw = rng.random()
    if draw < 0.55:
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7) * unit))
    if draw < 0.75:
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.7) * unit))
    if draw < 0.85:
        return _shake(picture, max(2, round(rng.uniform(2, 5) * unit)), rng.random() < 0.5)
    if draw < 0.95:
        factor = rng.uniform(0.45, 0.75)
        small = picture.resize(
            (max(1, round(picture.width * factor)), max(1, round(picture.height * factor))),
            Image.Resampling.BILINEAR,
        )
        return small.resize(picture.size, Image.Resampling.BICUBIC)
    return picture


def _shake(picture: Image.Image, length: int, upright: bool) -> Image.Image:
    """The mean of ``length`` copies, each a pixel further."""
    pixels = np.asarray(picture, dtype=np.float32)
    axis = 0 if upright else 1
    before, after = length // 2, length - 1 - length // 2
    pad = [(before, after) if index == axis else (0, 0) for index in range(3)]
    padded = np.pad(pixels, pad, mode="edge")
    size = pixels.shape[axis]
    total = np.zeros_like(pixels)
    for shift in range(length):
        total += padded[shift : shift + size] if upright else padded[:, shift : shift + size]
    return _image(total / np.float32(length))


def _noise(pixels: Pixels, strength: float, rng: Random) -> Pixels:
    """Sensor noise of ``strength`` grey levels (standard deviation); three random bytes add up to a bell."""
    count = pixels.size
    draws = np.frombuffer(rng.randbytes(3 * count), dtype=np.uint8).reshape(3, *pixels.shape)
    total = draws.sum(axis=0, dtype=np.int32).astype(np.float32) - np.float32(382.5)
    result: Pixels = pixels + total * np.float32(strength / 128)  # a byte's deviation is 73.9, of three 128
    return result
