"""From encoded pictures to answers, on one thread, a few pictures at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from trainer.inference.embedder import Embedding
from trainer.inference.models import Model, Result
from trainer.inference.pictures import PictureError, decode
from trainer.serving.errors import AnswerError, Code
from trainer.serving.requests import Body, Limits, understand

AT_ONCE = 8
"""Pictures computed together; a larger request takes no more memory for it."""


def predict(model: Model, body: Body, limits: Limits, deadline: float, *, neighbours: bool = False) -> bytes:
    """The JSON list that answers a request; ``neighbours`` asks an embedder for what lies nearest.

    ``deadline`` is a moment of ``time.monotonic``; nobody waits for work beyond it. Raises ``AnswerError``.
    """
    asked = understand(body, limits)
    answers = []
    for result in _results(model, asked.pictures, limits, deadline):
        if neighbours and isinstance(result, Embedding):
            answers.append(result.as_neighbours(asked.top_k))
        else:
            answers.append(result.as_answer())
    return json.dumps(answers, separators=(",", ":"), allow_nan=False).encode()


def _results(model: Model, pictures: Sequence[bytes], limits: Limits, deadline: float) -> Iterator[Result]:
    for first in range(0, len(pictures), AT_ONCE):
        pixels: list[npt.NDArray[np.uint8]] = []
        sizes: list[tuple[int, int]] = []
        for number, content in enumerate(pictures[first : first + AT_ONCE], start=first):
            if time.monotonic() > deadline:
                raise overdue()
            try:
                picture = decode(content, limits.pixels)
            except PictureError as error:
                detail = {"image": number, "code": error.code, "message": error.message}
                raise AnswerError(Code.BAD_INPUT, f"image {number}: {error}", [detail]) from error
            pixels.append(model.prepare(picture))
            sizes.append(picture.size)
        yield from model.infer(pixels, sizes)


def overdue() -> AnswerError:
    """The answer to a request that took too long."""
    return AnswerError(Code.DEADLINE, "the request took longer than requesttimeout: send fewer or smaller")
