"""Pictures with their objects, as batches that the detector takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainer.data.records import Picture
from trainer.detection.assignment import Truth
from trainer.inference.letterbox import Letterbox, Region
from trainer.training.pictures import LetterboxedPictures


class Batch(NamedTuple):
    """B pictures (B, 3, H, W) bytes, their objects, their places in the split, and how they lie in the input.

    That is the scale of each, and the region (x1, y1, x2, y2) that it fills.
    """

    pictures: Tensor
    truth: Truth
    indices: tuple[int, ...]
    scales: tuple[float, ...]
    regions: tuple[Region, ...]

    def part(self, places: slice) -> Batch:
        """Some of the pictures, with their objects."""
        truth = Truth(*(values[places] for values in self.truth))
        return Batch(
            self.pictures[places], truth, self.indices[places], self.scales[places], self.regions[places]
        )


class Item(NamedTuple):
    """A letterboxed picture (H, W, 3), K boxes (K, 4) in input pixels, labels (K,); the rest as in Batch."""

    pixels: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    place: int
    scale: float
    region: Region


class PictureSet(LetterboxedPictures):
    """One split, as letterboxed pictures of one input size (width, height) with their objects."""

    def __init__(self, pictures: Sequence[Picture], classes: Sequence[str], size: tuple[int, int]) -> None:
        super().__init__(pictures, size)
        names = {name: index for index, name in enumerate(classes)}
        self._truth = [
            (
                _boxes(picture, letterbox),
                np.array([names[box.label] for box in picture.boxes], dtype=np.int64),
            )
            for picture, letterbox in zip(self.pictures, self.letterboxes, strict=True)
        ]

    def __getitem__(self, index: int) -> Item:
        letterbox = self.letterboxes[index]
        return Item(self.pixels(index), *self._truth[index], index, letterbox.scale, letterbox.region)


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
    laid = zip(*((item.place, item.scale, item.region) for item in items), strict=True)
    return Batch(pixels, Truth(boxes, labels, valid), *laid)
