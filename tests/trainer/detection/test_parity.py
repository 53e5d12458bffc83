"""What is deployed is what was trained: ONNX Runtime and torch find the same in 200 pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from trainer.data.drawing.dataset import draw_dataset
from trainer.data.load import load_dataset
from trainer.detection.export import Deployed
from trainer.detection.network import CompactDetector, NetworkConfig
from trainer.detection.training import DetectionTraining
from trainer.inference.card import read_card
from trainer.inference.detector import Detector, Found
from trainer.inference.models import load_model
from trainer.inference.pictures import decode
from trainer.parameters.detection import parse

pytestmark = pytest.mark.training

PICTURES = 200
CLEAR = 0.03
"""A score that a network which has seen so little reaches four times a picture."""


class TorchSession:
    """The weights of a model folder, run by torch where ONNX Runtime would run the graph."""

    def __init__(self, folder: Path) -> None:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        config = {
            k: tuple(v) if isinstance(v, list) else v for k, v in card["network"].items() if k != "name"
        }
        network = CompactDetector(NetworkConfig(**config))
        network.load_state_dict(load_file(folder / "model.safetensors"))
        self.deployed = Deployed(network.eval())

    def get_outputs(self) -> Sequence[Any]:
        return ()

    def run(self, outputs: Sequence[str], inputs: dict[str, Any]) -> list[Any]:
        assert list(outputs) == ["boxes", "scores"]
        with torch.no_grad():
            return [found.numpy() for found in self.deployed(torch.from_numpy(inputs["pictures"]))]


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counters") / "data"
    draw_dataset(folder, PICTURES, seed=11)
    return folder


@pytest.fixture(scope="module")
def model(counters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector after a few steps: what it finds need not be right, only the same."""
    parameters = parse(
        {
            "train": "0.9", "validation": "0.1", "test": "", "batch_size": "8", "input_width": "192",
            "maximum_training_steps": "160", "input_height": "64", "base_learning_rate": "0.004",
            "accelerator": "cpu",
            "evaluation_frequency": "1", "additional_augmentations": "False", "aicore_tracking": "False",
        }
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    DetectionTraining(parameters, load_dataset(counters, parameters), counters, folder).run()
    return folder


def found(detector: Any, paths: Sequence[Path]) -> list[Found]:
    """What a detector finds, eight pictures at a time."""
    results: list[Found] = []
    for first in range(0, len(paths), 8):
        pictures = [decode(path.read_bytes()) for path in paths[first : first + 8]]
        pixels = [detector.prepare(picture) for picture in pictures]
        results += detector.infer(pixels, [picture.size for picture in pictures])
    return results


def assert_alike(model: Path, paths: Sequence[Path]) -> int:
    """Boxes within half a pixel, the same classes, the same readings; how many boxes there were."""
    card = read_card(model)
    deployed, trained = load_model(model), Detector(card, TorchSession(model), threshold=CLEAR)
    assert isinstance(deployed, Detector)
    deployed.threshold = CLEAR
    boxes = 0
    for path, one, other in zip(paths, found(deployed, paths), found(trained, paths), strict=True):
        assert one.detections.boxes.shape == other.detections.boxes.shape, path
        np.testing.assert_allclose(one.detections.boxes, other.detections.boxes, atol=0.5, err_msg=str(path))
        np.testing.assert_allclose(one.detections.scores, other.detections.scores, atol=1e-3)
        assert one.detections.labels.tolist() == other.detections.labels.tolist()
        assert one.reading is not None
        assert other.reading is not None
        assert one.reading.text == other.reading.text
        boxes += len(one.detections.scores)
    return boxes


def test_drawn_counters(model: Path, counters: Path) -> None:
    """Hundreds of boxes are compared, not an empty handful."""
    paths = sorted((counters / "JPEGImages").iterdir())
    assert len(paths) == PICTURES
    assert assert_alike(model, paths) > 2 * PICTURES


def test_photographs(model: Path, shared: Path) -> None:
    """Of meters, in many sizes; the network has only ever seen drawn ones."""
    folder = shared / "data" / "MeterCounters" / "JPEGImages"
    if not folder.is_dir():
        pytest.skip("needs MeterCounters in the shared folder")
    assert assert_alike(model, sorted(folder.iterdir())[:PICTURES]) > PICTURES
