"""Choosing the network's input size from the pictures and the boxes on them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from trainer.data.records import Picture

MULTIPLE = 32
"""Input sides are multiples of the coarsest stride of the network."""

OBJECT_SIZE = 24.0
"""Pixels (square root of the box area) that all but the smallest objects should have in the input."""

SMALLEST = 0.05
"""Share of the objects that may be smaller."""

ENLARGEMENT = 1.6
"""Input pixels for a pixel of the picture, at most: small objects are placed better on a finer grid."""

CPU_PIXELS = 80_000
"""Most input pixels where two CPU cores must train in minutes; a GPU takes ``GPU_PIXELS``."""

GPU_PIXELS = 640 * 640


def choose_input_size(
    pictures: Sequence[Picture], width: int = 0, height: int = 0, pixel_limit: int = CPU_PIXELS
) -> tuple[int, int]:
    """(width, height) of the input, multiples of 32; a side given as 0 is chosen.

    The shape follows the median aspect ratio. The scale is the one at which nearly all objects measure
    ``OBJECT_SIZE`` pixels or more, as far as ``ENLARGEMENT`` and ``pixel_limit`` allow.
    """
    aspect = statistics.median(picture.width / picture.height for picture in pictures)
    if width and height:
        return _whole(width), _whole(height)
    if width:
        return _whole(width), _whole(width / aspect)
    if height:
        return _whole(height * aspect), _whole(height)
    area = min(_wanted_area(pictures, aspect), float(pixel_limit))
    return _fit(area, aspect)


def _wanted_area(pictures: Sequence[Picture], aspect: float) -> float:
    """Input pixels at which the objects are large enough, as far as enlarging helps."""
    native = statistics.median(picture.width * picture.height for picture in pictures)
    shares = [
        math.sqrt(box.width * box.height / _canvas_area(picture, aspect))
        for picture in pictures
        for box in picture.boxes
    ]
    if not shares:
        return native
    small = sorted(shares)[int(len(shares) * SMALLEST)]
    return min(native * ENLARGEMENT, (OBJECT_SIZE / small) ** 2)


def _canvas_area(picture: Picture, aspect: float) -> float:
    """Pixels of the smallest canvas of that aspect ratio which holds the picture unscaled."""
    width = max(float(picture.width), picture.height * aspect)
    return width * width / aspect


def _fit(area: float, aspect: float) -> tuple[int, int]:
    width = math.sqrt(area * aspect)
    return _whole(width), _whole(width / aspect)


def _whole(side: float) -> int:
    return max(2, round(side / MULTIPLE)) * MULTIPLE
