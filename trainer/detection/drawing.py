"""Boxes with labels drawn on pictures. Pillow only."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from trainer.detection.suppression import Floats

TRUE = (40, 170, 80)
FOUND = (230, 60, 40)
LONG_SIDE = 960


def enlarged(picture: Image.Image) -> tuple[Image.Image, float]:
    """The picture in RGB, small ones enlarged (by a whole factor) so that labels can be read; the factor."""
    factor = max(1, min(4, LONG_SIDE // max(picture.size)))
    size = (picture.width * factor, picture.height * factor)
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), float(factor)


def draw_boxes(
    picture: Image.Image,
    boxes: Floats,
    texts: Sequence[str],
    colour: tuple[int, int, int],
    *,
    below: bool = False,
) -> None:
    """Draw boxes (K, 4) in picture pixels onto the picture, each with its text above or below."""
    draw = ImageDraw.Draw(picture)
    size = max(11, min(22, picture.height // 14))
    font = ImageFont.load_default(size)
    for (x1, y1, x2, y2), text in zip(boxes.tolist(), texts, strict=True):
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=2)
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        height = bottom - top + 4
        y = min(y2 + 1, picture.height - height) if below else max(0, y1 - height - 1)
        draw.rectangle((x1, y, x1 + right - left + 4, y + height), fill=colour)
        draw.text((x1 + 2 - left, y + 2 - top), text, fill=(255, 255, 255), font=font)
