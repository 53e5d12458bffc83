"""``index.npz``: what is searched, as plain arrays that load without unpickling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.records import Picture
from trainer.retrieval.evaluation import Embedded


def write_index(embedded: Embedded, pictures: Sequence[Picture], classes: Sequence[str], path: Path) -> None:
    """Write ``vectors`` (N, D) float32, and class names and files of the N ``pictures``."""
    np.savez_compressed(
        path,
        vectors=embedded.vectors.numpy().astype(np.float32),
        labels=np.array([classes[label] for label in embedded.labels.tolist()], dtype=np.str_),
        file_names=np.array([picture.stem for picture in pictures], dtype=np.str_),
    )
