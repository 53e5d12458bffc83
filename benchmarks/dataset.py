"""The one data set of a training benchmark: read and split once, then handed to every contender as JSON.

All train on the same pictures and predict the same validation pictures, boxes in the same convention
(0-based, half-open pixels), so that only the detectors differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

Box = tuple[float, float, float, float, int]  # x1, y1, x2, y2, class index


@dataclass(frozen=True)
class Sample:
    """One picture and what is on it."""

    path: str
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Data:
    """Pictures to train on and to be judged on, and the trainer's parameters that select them."""

    folder: str
    selection: Mapping[str, str]
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]

    def write(self, path: Path) -> None:
        """Store for the other processes."""
        path.write_text(json.dumps(asdict(self)))


def read(path: Path) -> Data:
    """Load what `Data.write` stored."""
    document = json.loads(path.read_text())
    return Data(
        document["folder"],
        document["selection"],
        tuple(document["classes"]),
        *(
            tuple(
                Sample(one["path"], one["width"], one["height"], tuple(tuple(box) for box in one["boxes"]))
                for one in document[split]
            )
            for split in ("train", "validation")
        ),
    )


def load(folder: Path, train: str, validation: str) -> Data:
    """Read a Pascal VOC folder with the trainer's own reader; faulty pictures are left out for everybody.

    `train` and `validation` are any form of split that the trainer takes. Raises trainer.errors.DatasetError.
    """
    from trainer.data.load import load_dataset
    from trainer.data.records import Picture
    from trainer.parameters.detection import parse

    selection = {"train": train, "validation": validation, "test": "", "bad_data": "skip"}
    found = load_dataset(folder, parse(selection))
    index = {name: number for number, name in enumerate(found.classes)}

    def sample(picture: Picture) -> Sample:
        boxes = tuple((box.xmin, box.ymin, box.xmax, box.ymax, index[box.label]) for box in picture.boxes)
        return Sample(str(picture.path), picture.width, picture.height, boxes)

    return Data(
        str(folder.absolute()),
        selection,
        found.classes,
        tuple(map(sample, found.splits["train"])),
        tuple(map(sample, found.splits["validation"])),
    )
