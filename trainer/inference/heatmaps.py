"""Where two pictures are alike: the cosine of their pooled features, told apart by place.

The networks for whole pictures judge the mean of their last feature maps over the places. The cosine of two
such means is a sum over the places of one picture, and its terms are the heat map (Stylianou, Souvenir,
Pless: Visualizing Deep Similarity Networks, WACV 2019): a map adds up to the similarity it explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.inference.base import OnnxModel
from trainer.inference.letterbox import Letterbox

OUTPUT = "features"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """One picture against N, itself among them: cosines (N,), maps (N, h, w), and where the maps lie."""

    similarity: Floats
    maps: Floats
    extent: tuple[float, float, float, float]
    """The maps' x1, y1, x2, y2 in the pixels of the picture; beyond its edges lies the letterbox's border."""

    def as_answer(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "similarity": [round(value, 6) for value in self.similarity.tolist()],
            "heatmaps": np.round(self.maps.astype(np.float64), 7).tolist(),
            "extent": [round(value, 2) for value in self.extent],
        }


class PooledModel(OnnxModel):
    """A model that pools feature maps, and can show them where its graph has the output ``features``."""

    @property
    def shows_heatmaps(self) -> bool:
        """Models that were written before there was such an output have none."""
        return OUTPUT in self.outputs

    def heatmaps(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> list[Heatmaps]:
        """Every prepared picture against all; ``sizes`` are the pictures' own (width, height)."""
        (features,) = self.compute(pixels, OUTPUT)
        cosines, maps = similarity(features)
        places = [self._extent(size) for size in sizes]
        return [Heatmaps(*told) for told in zip(cosines, maps, places, strict=True)]

    def _extent(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        fitted = Letterbox.fit(size, self.card.size)
        left, top = -fitted.left / fitted.scale, -fitted.top / fitted.scale
        width, height = (side / fitted.scale for side in self.card.size)
        return left, top, left + width, top + height


def similarity(features: Floats) -> tuple[Floats, Floats]:
    """Cosines (N, N) of the pooled features (N, C, h, w), and maps (N, N, h, w) whose places sum up to them.

    ``maps[i, j]`` lies over picture i and says what its places have in common with the whole of picture j.
    """
    places = features.shape[2] * features.shape[3]
    pooled = features.mean((2, 3))
    lengths = np.maximum(np.linalg.norm(pooled, axis=1), 1e-12)
    maps: Floats = np.einsum("ichw,jc->ijhw", features, pooled / lengths[:, None])
    maps /= lengths[:, None, None, None] * places
    return maps.sum((2, 3)), maps
