"""Which pictures make which batch: decided by seed and step alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from trainer.data.load import load_dataset
from trainer.detection.pictures import PictureSet, collate
from trainer.parameters.detection import parse
from trainer.training.budget import Budget
from trainer.training.sampler import StepSampler


def sampler(steps: int = 100, frequency: float = 0.1, batch_size: int = 4) -> StepSampler:
    return StepSampler(10, batch_size, 7, Budget(steps), frequency)


def test_every_picture_passes_once_before_any_passes_again() -> None:
    places = itertools.chain.from_iterable(sampler().batch(step) for step in range(5))
    seen = list(places)
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_a_step_has_the_same_pictures_whoever_asks() -> None:
    first, second = sampler(), sampler()
    forwards = [first.batch(step) for step in range(8)]
    assert [second.batch(step) for step in reversed(range(8))] == forwards[::-1]


def test_an_epoch_ends_when_an_evaluation_is_due_and_the_next_goes_on() -> None:
    one = sampler(steps=25, frequency=0.4)
    assert len(list(one)) == 10
    one.first_step = lambda: 10
    assert next(iter(one)) == one.batch(10)
    one.first_step = lambda: 20
    assert len(list(one)) == 5


@pytest.fixture
def pictures(rectangles: Path) -> PictureSet:
    dataset = load_dataset(rectangles, parse({"train": "0.5", "validation": "0.5", "test": ""}))
    return PictureSet(dataset.splits["train"], dataset.classes, (128, 64))


def test_boxes_lie_on_their_colours(pictures: PictureSet) -> None:
    """The pixel in the middle of every box has the colour of its class, in input coordinates."""
    strongest = {"1": 0, "2": 1, "3": 2}
    for index in range(len(pictures)):
        item = pictures[index]
        for box, label in zip(item.boxes, item.labels, strict=True):
            x, y = int(box[[0, 2]].mean()), int(box[[1, 3]].mean())
            assert item.pixels[y, x].argmax() == strongest[str(label + 1)]


def test_cached_pictures_are_the_decoded_ones_and_a_small_limit_is_respected(pictures: PictureSet) -> None:
    assert not pictures.load(limit=1000)
    before = pictures[3].pixels
    assert pictures.load()
    assert (pictures[3].pixels == before).all()


def test_batches_pad_to_the_longest_list(pictures: PictureSet) -> None:
    short = pictures[0]._replace(boxes=pictures[0].boxes[:1], labels=pictures[0].labels[:1])
    batch = collate([short, pictures[1]])
    assert batch.pictures.shape == (2, 3, 64, 128)
    assert batch.truth.valid.tolist() == [[True, False, False], [True, True, True]]
    assert batch.indices == (0, 1)
