"""From encoded pictures to what the network takes, on a thread, a few at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trainer.inference.models import Model
from trainer.inference.pictures import PictureError, decode
from trainer.serving.errors import AnswerError, Fault, overdue
from trainer.serving.requests import Limits

AT_ONCE = 8
"""Pictures of one request that are in memory as pixels; a larger request takes no more memory for it."""


@dataclass(slots=True)
class Prepared:
    """N pictures as the network takes them, each (H, W, 3) bytes, and their own sizes (width, height)."""

    pixels: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


def prepare(model: Model, pictures: Sequence[bytes], first: int, limits: Limits, deadline: float) -> Prepared:
    """Encoded pictures decoded and letterboxed; ``first`` is the number of the first of them in its request.

    ``deadline`` is a moment of ``time.monotonic``; nobody waits for work beyond it. Raises ``AnswerError``.
    """
    prepared = Prepared()
    for number, content in enumerate(pictures, start=first):
        if time.monotonic() > deadline:
            raise overdue()
        try:
            picture = decode(content, limits.pixels)
        except PictureError as error:
            raise _refused(number, error) from error
        prepared.pixels.append(model.prepare(picture))
        prepared.sizes.append(picture.size)
    return prepared


def _refused(number: int, error: PictureError) -> AnswerError:
    detail = {"image": number, "code": error.code, "message": error.message}
    too_large = error.code == "picture-too-large"
    fault = Fault.TOO_LARGE if too_large else Fault.BAD_PICTURE
    return AnswerError(fault, f"image {number}: {error}", [detail], limit="pixels" if too_large else "")
