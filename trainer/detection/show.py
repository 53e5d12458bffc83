"""A sheet of training pictures as the augmentations change them, with the boxes that go with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from trainer.data.load import load_dataset
from trainer.detection.drawing import TRUE, draw_boxes
from trainer.detection.input_size import CPU_PIXELS, choose_input_size
from trainer.detection.pictures import Batch, PictureSet, collate
from trainer.detection.preparation import Preparation
from trainer.errors import TrainerError
from trainer.parameters.detection import AUGMENTATIONS, DetectionParameters
from trainer.training.augment import AugmentationConfig
from trainer.training.budget import Budget
from trainer.training.sampler import StepSampler

COLUMNS = 4
TITLE = 18
SHARES = ("blur", "glare", "noise", "mosaic")


def show_augmentations(datain: Path, parameters: DetectionParameters, sheet: Path) -> tuple[str, ...]:
    """Write ``sheet``: one row unchanged, one for each augmentation alone, one for those of the parameters.

    The pictures and the draws are those of the first step of a training with this seed. Returns the rows'
    names. Raises ``DatasetError`` for data that cannot be trained on, ``TrainerError`` where ``sheet`` cannot
    be written.
    """
    dataset = load_dataset(datain, parameters)
    pictures = dataset.splits["train"]
    size = choose_input_size(pictures, parameters.input_width, parameters.input_height, CPU_PIXELS)
    data = PictureSet(pictures, dataset.classes, size)
    columns = min(COLUMNS, len(data))
    places = StepSampler(len(data), columns, parameters.seed, Budget(1), 1.0).batch(0)
    batch = collate([data[place] for place in places])
    alone: dict[str, tuple[str, ...]] = {name: (name,) for name in AUGMENTATIONS}
    rows = {"unchanged": (), **alone, "together": parameters.additional_augmentations}
    canvas = Image.new("RGB", (len(places) * size[0], len(rows) * (size[1] + TITLE)), "white")
    for row, (name, names) in enumerate(rows.items()):
        top = row * (size[1] + TITLE)
        ImageDraw.Draw(canvas).text((4, top + 2), name, fill="black")
        changed = _changed(batch, names, parameters.seed)
        for column in range(len(places)):
            canvas.paste(_drawn(changed, column, dataset.classes), (column * size[0], top + TITLE))
    try:
        canvas.save(sheet)
    except (OSError, ValueError) as error:
        raise TrainerError(f"{sheet}: cannot be written ({error}); name a file that ends in .png") from error
    return tuple(rows)


def _changed(batch: Batch, names: tuple[str, ...], seed: int) -> Batch:
    """The batch with what ``names`` say; one that is drawn for some pictures only is shown on all."""
    if not names:
        return batch
    config = AugmentationConfig.of(names)
    if len(names) == 1 and names[0] in SHARES:
        config = replace(config, **{names[0]: 1.0})
    return Preparation(seed, config, mirror=False).for_training(batch, 0, 0)


def _drawn(batch: Batch, row: int, classes: tuple[str, ...]) -> Image.Image:
    valid = batch.truth.valid[row]
    pixels: npt.NDArray[np.uint8] = batch.pictures[row].permute(1, 2, 0).byte().numpy()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    names = [classes[label] for label in batch.truth.labels[row][valid].tolist()]
    draw_boxes(picture, batch.truth.boxes[row][valid].numpy(), names, TRUE)
    return picture
