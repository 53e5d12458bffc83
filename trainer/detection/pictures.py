"""Pictures as the network wants them: letterboxed bytes, kept in memory while they fit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from trainer.data.records import Picture
from trainer.detection.assignment import Truth
from trainer.inference.letterbox import Letterbox

CACHE_BYTES = 2 * 1024**3
"""A split whose letterboxed pictures exceed this is decoded anew for every use."""


class Batch(NamedTuple):
    """B pictures (B, 3, H, W) bytes, their objects, and their places in the split."""

    pictures: Tensor
    truth: Truth
    indices: tuple[int, ...]

    def part(self, places: slice) -> Batch:
        """Some of the pictures, with their objects."""
        truth = Truth(*(values[places] for values in self.truth))
        return Batch(self.pictures[places], truth, self.indices[places])


class Item(NamedTuple):
    """One letterboxed picture (H, W, 3) with K boxes (K, 4) in input pixels, labels (K,), place in split."""

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    place: int


class PictureSet(Dataset[Item]):
    """One split, as letterboxed pictures of one input size (width, height)."""

    def __init__(self, pictures: Sequence[Picture], classes: Sequence[str], size: tuple[int, int]) -> None:
        self.pictures = tuple(pictures)
        self.size = size
        self.letterboxes = tuple(Letterbox.fit((p.width, p.height), size) for p in self.pictures)
        names = {name: index for index, name in enumerate(classes)}
        self._truth = [
            (
                _boxes(picture, letterbox),
                np.array([names[box.label] for box in picture.boxes], dtype=np.int64),
            )
            for picture, letterbox in zip(self.pictures, self.letterboxes, strict=True)
        ]
        self._cache: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Item:
        pixels = self.draw(index) if self._cache is None else self._cache[index]
        return Item(pixels, *self._truth[index], index)

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


def _boxes(picture: Picture, letterbox: Letterbox) -> npt.NDArray[np.float32]:
    boxes = [(box.xmin, box.ymin, box.xmax, box.ymax) for box in picture.boxes]
    return letterbox.to_input(np.array(boxes, dtype=np.float32).reshape(-1, 4))


def collate(items: Sequence[Item]) -> Batch:
    """Stack pictures and pad their objects to the longest list."""
    pixels = torch.from_numpy(np.stack([item.pixels for item in items])).permute(0, 3, 1, 2)
    longest = max(len(item.labels) for item in items)
    boxes = torch.zeros(len(items), longest, 4)
    labels = torch.zeros(len(items), longest, dtype=torch.int64)
    valid = torch.zeros(len(items), longest, dtype=torch.bool)
    for row, item in enumerate(items):
        count = len(item.labels)
        boxes[row, :count] = torch.from_numpy(item.boxes)
        labels[row, :count] = torch.from_numpy(item.labels)
        valid[row, :count] = True
    return Batch(pixels, Truth(boxes, labels, valid), tuple(item.place for item in items))
