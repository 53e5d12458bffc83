"""Pictures with their class, as batches that the classifier takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainer.data.records import Picture
from trainer.training.pictures import LetterboxedPictures


class Batch(NamedTuple):
    """B pictures (B, 3, H, W) bytes, their class indices (B,), and their places in the split."""

    pictures: Tensor
    labels: Tensor
    indices: tuple[int, ...]

    def part(self, places: slice) -> Batch:
        """Some of the pictures, with their classes."""
        return Batch(self.pictures[places], self.labels[places], self.indices[places])


class Item(NamedTuple):
    """One letterboxed picture (H, W, 3), its class index, its place in the split."""

    pixels: npt.NDArray[np.uint8]
    label: int
    place: int


class LabelledSet(LetterboxedPictures):
    """One split, as letterboxed pictures of one input size (width, height) with their class."""

    def __init__(self, pictures: Sequence[Picture], classes: Sequence[str], size: tuple[int, int]) -> None:
        super().__init__(pictures, size)
        names = {name: index for index, name in enumerate(classes)}
        self.labels = tuple(names[picture.boxes[0].label] for picture in self.pictures)

    def __getitem__(self, index: int) -> Item:
        return Item(self.pixels(index), self.labels[index], index)


def collate(items: Sequence[Item]) -> Batch:
    """Stack pictures and classes."""
    pixels = torch.from_numpy(np.stack([item.pixels for item in items])).permute(0, 3, 1, 2)
    labels = torch.tensor([item.label for item in items], dtype=torch.int64)
    return Batch(pixels, labels, tuple(item.place for item in items))
