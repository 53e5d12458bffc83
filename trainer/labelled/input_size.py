"""Choosing the classifier's input size from the pictures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from trainer.data.records import Picture

MULTIPLE = 16
"""Input sides are multiples of the stride that every network has."""

SMALLEST = 48 * 48
"""Pixels below which pictures are enlarged: the network halves them four times."""

CPU_PIXELS = 112 * 112
"""Most input pixels where two CPU cores must train in minutes; a GPU takes ``GPU_PIXELS``."""

GPU_PIXELS = 224 * 224


def choose_input_size(
    pictures: Sequence[Picture], width: int = 0, height: int = 0, pixel_limit: int = CPU_PIXELS
) -> tuple[int, int]:
    """(width, height) of the input, multiples of 16; a side given as 0 is chosen.

    The shape follows the median aspect ratio, but no more than 4 to 1; the area follows the median picture.
    """
    aspect = statistics.median(picture.width / picture.height for picture in pictures)
    aspect = min(4.0, max(0.25, aspect))
    if width and height:
        return _whole(width), _whole(height)
    if width:
        return _whole(width), _whole(width / aspect)
    if height:
        return _whole(height * aspect), _whole(height)
    native = statistics.median(picture.width * picture.height for picture in pictures)
    side = math.sqrt(min(float(pixel_limit), max(float(SMALLEST), native)) * aspect)
    return _whole(side), _whole(side / aspect)


def _whole(side: float) -> int:
    return max(2, round(side / MULTIPLE)) * MULTIPLE
