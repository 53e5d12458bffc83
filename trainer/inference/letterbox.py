"""Fitting a picture of any size into the network's input, and boxes back out. NumPy and Pillow only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

PADDING = 114
"""Grey of the border, the value the network subtracts: padding is zero to it."""

Region = tuple[int, int, int, int]
"""Part of an input: x1, y1, x2, y2."""


def as_rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB, 8 bits a channel; 16 bits of grey are scaled, where Pillow would cut them off."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How one picture lies in the input: scaled by ``scale``, then moved by ``left``, ``top`` pixels."""

    scale: float
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def fit(cls, picture: tuple[int, int], canvas: tuple[int, int]) -> Letterbox:
        """Centre a picture (width, height) in a canvas (width, height), as large as it fits."""
        scale = min(canvas[0] / picture[0], canvas[1] / picture[1])
        width = max(1, min(canvas[0], round(picture[0] * scale)))
        height = max(1, min(canvas[1], round(picture[1] * scale)))
        return cls(scale, (canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height)

    @property
    def region(self) -> Region:
        """Where the picture lies in the input: x1, y1, x2, y2."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def draw(self, picture: Image.Image, canvas: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The picture on its canvas: (height, width, 3) bytes, RGB."""
        resized = as_rgb(picture).resize((self.width, self.height), Image.Resampling.BILINEAR)
        board = np.full((canvas[1], canvas[0], 3), PADDING, dtype=np.uint8)
        board[self.top : self.top + self.height, self.left : self.left + self.width] = np.asarray(resized)
        return board

    def to_input(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Boxes (K, 4) from picture pixels to input pixels."""
        placed: npt.NDArray[np.float32] = boxes * np.float32(self.scale) + self._offset()
        return placed

    def to_picture(self, boxes: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Boxes (K, 4) from input pixels to picture pixels, cut to the picture's (width, height)."""
        limits = np.array([size[0], size[1], size[0], size[1]], dtype=np.float32)
        placed: npt.NDArray[np.float32] = np.clip(
            (boxes - self._offset()) / np.float32(self.scale), 0, limits
        )
        return placed

    def _offset(self) -> npt.NDArray[np.float32]:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
