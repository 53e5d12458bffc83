"""The memory of a batch run does not grow with the number of pictures."""

from __future__ import annotations

import gc
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.batch.pipeline import process
from trainer.batch.sources import Source, pictures
from trainer.inference.card import Card


class Blind:
    """Finds nothing, quickly."""

    card = Card(Path(), "object-detection", (), (32, 32), {})

    def prepare(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        return np.zeros((32, 32, 3), dtype=np.uint8)

    def infer(self, pixels: Any, sizes: Any) -> Any:
        return iter([None] * len(sizes))


def peak(sources: Any) -> int:
    gc.collect()
    tracemalloc.start()
    for number, _ in enumerate(process(Blind(), sources, batch_size=4, workers=2, keep=True)):
        if number % 20 == 0:
            gc.collect()  # what is merely waiting for the collector is no leak
    try:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_the_pictures_take_the_same_memory(tmp_path: Path, paint: Callable[..., Path]) -> None:
    content = paint(tmp_path / "a.png", size=(300, 300)).read_bytes() + bytes(200_000)

    def sources(count: int) -> Any:
        return (Source(str(number), lambda: bytes(bytearray(content))) for number in range(count))

    peak(sources(10))  # what is loaded once
    assert peak(sources(200)) < peak(sources(20)) * 1.3 + 100_000


def test_members_of_a_tar_are_forgotten(tmp_path: Path, paint: Callable[..., Path]) -> None:
    """tarfile remembers every member it has seen unless it is told otherwise."""
    path = paint(tmp_path / "a.png", size=(8, 8))

    def archive(count: int) -> Path:
        target = tmp_path / f"{count}.tar"
        with tarfile.open(target, "w") as tar:
            for number in range(count):
                tar.add(path, f"{number}.png")
        return target

    few, many = archive(50), archive(2000)

    def measured(data: Path) -> int:
        return peak(pictures(data, (".png",)))

    measured(few)
    assert measured(many) < measured(few) * 1.3 + 200_000
