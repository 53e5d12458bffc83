"""The classifier at work: one class and the probabilities of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.inference.card import Card
from trainer.inference.letterbox import Letterbox


@dataclass(frozen=True, slots=True)
class Judged:
    """The probabilities (classes,) of one picture."""

    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for files."""
        answer = self.as_answer()
        return answer | {"probs": [round(value, 4) for value in answer["probs"]]}

    def as_answer(self) -> dict[str, Any]:
        """What the CV package's server answered for one picture."""
        best = int(self.probabilities.argmax())
        return {
            "probs": self.probabilities.tolist(),
            "predicted_class_name": self.classes[best],
            "predicted_class": best,
        }


class Classifier:
    """A classifier's session."""

    def __init__(self, card: Card, session: Any) -> None:
        self.card = card
        self._session = session

    def prepare(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """The picture as the network takes it: (H, W, 3) bytes."""
        return Letterbox.fit(picture.size, self.card.size).draw(picture, self.card.size)

    def infer(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[Judged]:
        """The class of every prepared picture."""
        batch = np.ascontiguousarray(np.stack(pixels).transpose(0, 3, 1, 2))
        (probabilities,) = self._session.run(["probs"], {"pictures": batch})
        for row, _ in enumerate(sizes):
            yield Judged(self.card.classes, probabilities[row])
