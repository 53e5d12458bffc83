"""What the models of every task have in common: a card, a session, and pictures as the network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.inference.card import Card
from trainer.inference.letterbox import Letterbox


class OnnxModel:
    """A session of ONNX Runtime; it may be asked from several threads at once."""

    def __init__(self, card: Card, session: Any) -> None:
        self.card = card
        self._session = session
        self.outputs = tuple(output.name for output in session.get_outputs())

    def prepare(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """The picture as the network takes it: (H, W, 3) bytes."""
        return Letterbox.fit(picture.size, self.card.size).draw(picture, self.card.size)

    def compute(self, pixels: Sequence[npt.NDArray[np.uint8]], *outputs: str) -> Any:
        """The named outputs for N prepared pictures, each an array with N rows."""
        batch = np.ascontiguousarray(np.stack(pixels).transpose(0, 3, 1, 2))
        return self._session.run(list(outputs), {"pictures": batch})
