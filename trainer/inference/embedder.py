"""The embedder at work: vectors, and the pictures of its index that lie nearest."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.inference.card import Card, ModelError
from trainer.inference.heatmaps import PooledModel

INDEX = "index.npz"


@dataclass(frozen=True, slots=True)
class Index:
    """N vectors (N, D) with their classes and files."""

    vectors: npt.NDArray[np.float32]
    labels: tuple[str, ...]
    files: tuple[str, ...]

    def nearest(self, vector: npt.NDArray[np.float32], k: int) -> tuple[list[int], list[float]]:
        """Places and Euclidean distances of the ``k`` nearest vectors, nearest first."""
        distances = np.linalg.norm(self.vectors - vector, axis=1)
        k = min(k, len(distances))
        places = np.argpartition(distances, k - 1)[:k]
        places = places[np.argsort(distances[places], kind="stable")]
        return places.tolist(), distances[places].tolist()


@dataclass(frozen=True, slots=True)
class Embedding:
    """The unit vector of one picture, and the index it can be searched in."""

    vector: npt.NDArray[np.float32]
    index: Index

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for files: the vector and what lies nearest."""
        (place,), (distance,) = self.index.nearest(self.vector, 1)
        return {
            "embedding": [round(value, 6) for value in self.vector.tolist()],
            "nearest": self.index.files[place],
            "nearest_class": self.index.labels[place],
            "distance": round(distance, 6),
        }

    def as_answer(self) -> dict[str, Any]:
        """What the CV package's server answered to ``predict``."""
        return {"embedding": self.vector.tolist()}

    def as_neighbours(self, k: int) -> dict[str, Any]:
        """What the CV package's server answered to ``topk``: places in the index, their files and classes."""
        places, distances = self.index.nearest(self.vector, k)
        return {
            "distance": distances,
            "catalog_index": places,
            "catalog_filenames": [self.index.files[place] for place in places],
            "catalog_labels": [self.index.labels[place] for place in places],
        }


class Embedder(PooledModel):
    """An embedder's session and its index. Raises ``ModelError`` where the index is none."""

    def __init__(self, card: Card, session: Any) -> None:
        super().__init__(card, session)
        self._index = _read_index(card)

    def infer(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[Embedding]:
        """The vector of every prepared picture."""
        (vectors,) = self.compute(pixels, "vectors")
        for row, _ in enumerate(sizes):
            yield Embedding(vectors[row], self._index)


def _read_index(card: Card) -> Index:
    path = card.folder / INDEX
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vectors, labels, files = arrays["vectors"], arrays["labels"], arrays["file_names"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(f"{path} cannot be read ({error}): train the model again") from error
    sound = vectors.ndim == 2 and len(vectors) == len(labels) == len(files) > 0
    if not sound or not np.isfinite(vectors).all():
        raise ModelError(f"{path} does not hold one finite vector for each label and file name")
    return Index(vectors.astype(np.float32), tuple(labels.tolist()), tuple(files.tolist()))
