"""One split as letterboxed pictures, kept in memory while they fit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.data.records import Picture
from trainer.inference.letterbox import Letterbox

CACHE_BYTES = 2 * 1024**3
"""A split whose letterboxed pictures exceed this is decoded anew for every use."""


class LetterboxedPictures:
    """Pictures of one input size (width, height), as bytes (H, W, 3)."""

    def __init__(self, pictures: Sequence[Picture], size: tuple[int, int]) -> None:
        self.pictures = tuple(pictures)
        self.size = size
        self.letterboxes = tuple(Letterbox.fit((p.width, p.height), size) for p in self.pictures)
        self._cache: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """One picture, from memory where it is there."""
        return self.draw(index) if self._cache is None else self._cache[index]

    def load(self, limit: int = CACHE_BYTES) -> bool:
        """Decode everything once if it fits into ``limit`` bytes; say whether it did."""
        width, height = self.size
        if self._cache is not None:
            return True
        if len(self) * width * height * 3 > limit:
            return False
        cache = np.empty((len(self), height, width, 3), dtype=np.uint8)
        with ThreadPoolExecutor() as pool:  # Pillow decodes outside the interpreter lock
            for index, pixels in enumerate(pool.map(self.draw, range(len(self)))):
                cache[index] = pixels
        self._cache = cache
        return True

    def draw(self, index: int) -> npt.NDArray[np.uint8]:
        """Decode and letterbox one picture: (H, W, 3) bytes."""
        with Image.open(self.pictures[index].path) as picture:
            return self.letterboxes[index].draw(picture, self.size)
