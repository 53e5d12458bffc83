"""The classifier at work: one class and the probabilities of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.inference.heatmaps import PooledModel


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


class Classifier(PooledModel):
    """A classifier's session."""

    def infer(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[Judged]:
        """The class of every prepared picture."""
        (probabilities,) = self.compute(pixels, "probs")
        for row, _ in enumerate(sizes):
            yield Judged(self.card.classes, probabilities[row])
