"""The parts of the classifier's training that need no training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainer.classification.evaluation import figures
from trainer.data.records import Picture
from trainer.labelled.input_size import choose_input_size
from trainer.labelled.network import PooledConfig, PooledNetwork
from trainer.labelled.preparation import CHANGES, Preparation


def sized(*sizes: tuple[int, int]) -> list[Picture]:
    return [Picture(Path("x"), "x", width, height, ()) for width, height in sizes]


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ([(20, 32)], {}, (32, 64)),
        ([(640, 480)], {}, (128, 96)),
        ([(640, 480)], {"pixel_limit": 224 * 224}, (256, 192)),
        ([(100, 100)], {"width": 64, "height": 32}, (64, 32)),
        ([(200, 100)], {"width": 64}, (64, 32)),
        ([(4000, 10)], {"height": 32}, (128, 32)),
    ],
)
def test_the_input_has_the_shape_of_the_pictures(
    sizes: list[tuple[int, int]], wanted: dict[str, int], expected: tuple[int, int]
) -> None:
    assert choose_input_size(sized(*sizes), **wanted) == expected


@pytest.mark.parametrize(("size", "stages"), [((32, 64), 3), ((64, 64), 4)])
def test_larger_inputs_get_a_stage_more(size: tuple[int, int], stages: int) -> None:
    config = PooledConfig.fitting(5, size, (7,))
    assert len(config.widths) == stages
    network = PooledNetwork(config).eval()
    assert network(torch.zeros(2, 3, size[1], size[0])).shape == (2, 5)


def test_figures_are_those_of_a_confusion_matrix_by_hand() -> None:
    """Three classes, the third never there: rows are what is there.

    a: 3 of 4 recognised, one taken for b. b: 2 of 2 recognised.
    """
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    logits = torch.nn.functional.one_hot(torch.tensor([0, 0, 0, 1, 1, 1]), 3).float() * 4
    found = figures(logits, labels, ("a", "b", "c"))
    assert found.confusion.tolist() == [[3, 1, 0], [0, 2, 0], [0, 0, 0]]
    expected = {
        "accuracy": 5 / 6,
        "accuracy:a": 3 / 4,
        "recall:a": 3 / 4,
        "precision:a": 1.0,
        "f1score:a": 2 * 0.75 / 1.75,
        "recall:b": 1.0,
        "precision:b": 2 / 3,
        "f1score:b": 0.8,
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected)
    assert not [name for name in found.metrics if name.endswith(":c")]
    assert found.likelihood < 0


def test_changes_depend_on_seed_step_and_part_alone() -> None:
    pictures = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    prepare = Preparation(5, CHANGES, mirror=True)
    first = prepare.for_training(pictures, 3, 0)
    assert torch.equal(first, prepare.for_training(pictures, 3, 0))
    for other in (prepare.for_training(pictures, 4, 0), prepare.for_training(pictures, 3, 1)):
        assert not torch.equal(first, other)
    assert torch.equal(Preparation(5, None, mirror=False).for_training(pictures, 3, 0), pictures.float())
