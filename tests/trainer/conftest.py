"""A model folder that needs no training: the colour of a picture decides what is found in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

Maker = Callable[..., Path]


class Graph:
    """An ONNX graph that begins with the mean colours (B, 3), 0 to 1, of pictures of 64x64 pixels."""

    def __init__(self) -> None:
        self.onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'corespec[train]'")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.node("Cast", ["pictures"], "floats", to=self.onnx.TensorProto.FLOAT)
        self.node("ReduceMean", ["floats", self.whole("plane", [2, 3])], "means", keepdims=0)
        self.node("Mul", ["means", self.real("scale", [1 / 255])], "colours")

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], **attributes))

    def real(self, name: str, values: list[float], *shape: int) -> str:
        dimensions = list(shape) or [len(values)]
        kind = self.onnx.TensorProto.FLOAT
        self.constants.append(self.onnx.helper.make_tensor(name, kind, dimensions, values))
        return name

    def whole(self, name: str, values: list[int]) -> str:
        kind = self.onnx.TensorProto.INT64
        self.constants.append(self.onnx.helper.make_tensor(name, kind, [len(values)], values))
        return name

    def features(self) -> list[int]:
        """An output ``features``: red, green and blue by place; its shape without the batch."""
        self.node("Mul", ["floats", self.real("unit", [1 / 255])], "plane_colours")
        self.node("AveragePool", ["plane_colours"], "features", kernel_shape=[2, 2], strides=[2, 2])
        return [3, 32, 32]

    def write(self, folder: Path, card: dict[str, Any], **outputs: list[int]) -> Path:
        """Write model.onnx and model.json; ``outputs`` are shapes without the batch."""
        helper, types = self.onnx.helper, self.onnx.TensorProto
        pictures = helper.make_tensor_value_info("pictures", types.UINT8, ["batch", 3, 64, 64])
        results = [
            helper.make_tensor_value_info(name, types.FLOAT, ["batch", *shape])
            for name, shape in outputs.items()
        ]
        graph = helper.make_graph(self.nodes, "colours", [pictures], results, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        folder.mkdir(parents=True, exist_ok=True)
        self.onnx.save(model, folder / "model.onnx")
        size = {"width": 64, "height": 64}
        document = {"format_version": 1, "classes": ["0", "1", "2"], "input": size} | card
        (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
        return folder


@pytest.fixture(scope="session")
def make_detector() -> Maker:
    """A function that writes a detector to a folder.

    Two boxes that overlap (IoU 0.78): 8,8,40,56 and, with nine tenths of the score, 12,8,44,56. The scores of
    the classes are the mean red, green and blue of the letterboxed picture.
    """

    def make(folder: Path) -> Path:
        graph = Graph()
        graph.node("Unsqueeze", ["colours", graph.whole("one", [1])], "rows")
        graph.node("Mul", ["rows", graph.real("shares", [1.0, 0.9], 1, 2, 1)], "scores")
        graph.node("ReduceMean", ["rows", graph.whole("last", [2])], "grey", keepdims=1)
        graph.node("Mul", ["grey", graph.real("zero", [0.0])], "nothing")
        places = graph.real("places", [8, 8, 40, 56, 12, 8, 44, 56], 1, 2, 4)
        graph.node("Add", ["nothing", places], "boxes")
        card = {
            "task": "object-detection", "score_threshold": 0.5, "class_agnostic_nms": True, "digits": True
        }  # fmt: skip
        return graph.write(folder, card, boxes=[2, 4], scores=[2, 3])

    return make


@pytest.fixture(scope="session")
def colour_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judges by the softmax of ten times the mean red, green and blue."""
    graph = Graph()
    graph.node("Mul", ["colours", graph.real("ten", [10.0])], "logits")
    graph.node("Softmax", ["logits"], "probs")
    folder = tmp_path_factory.mktemp("model") / "classes"
    return graph.write(
        folder,
        {"task": "image-classification", "classes": ["red", "green", "blue"]},
        probs=[3],
        features=graph.features(),
    )


@pytest.fixture(scope="session")
def colour_graph() -> Maker:
    """A function that writes a classifier without feature maps, as earlier releases did."""

    def make(folder: Path) -> Path:
        graph = Graph()
        graph.node("Softmax", ["colours"], "probs")
        return graph.write(folder, {"task": "image-classification"}, probs=[3])

    return make


@pytest.fixture(scope="session")
def colour_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeds a picture as its mean colours; pure red, green and blue are in the index."""
    graph = Graph()
    graph.node("Identity", ["colours"], "vectors")
    folder = tmp_path_factory.mktemp("model") / "vectors"
    graph.write(folder, {"task": "image-embedding"}, vectors=[3], features=graph.features())
    names = np.array(["red", "green", "blue"])
    files = np.array(["red/r.png", "green/g.png", "blue/b.png"])
    np.savez(folder / "index.npz", vectors=np.eye(3, dtype=np.float32), labels=names, file_names=files)
    return folder


@pytest.fixture(scope="session")
def colour_detector(make_detector: Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds a 0 in red pictures, a 1 in green, a 2 in blue and nothing in dark ones."""
    return make_detector(tmp_path_factory.mktemp("model") / "colours")


COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "dark": (20, 20, 20)}


@pytest.fixture(scope="session")
def paint() -> Callable[..., Path]:
    """A function that writes a picture of one colour, 128x128 unless told."""

    def write(path: Path, colour: str = "red", size: tuple[int, int] = (128, 128), **how: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, COLOURS[colour]).save(path, **how)
        return path

    return write


HUES = {"green": (40, 160, 60), "red": (190, 60, 50), "yellow": (200, 190, 60)}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with twenty pictures each, of different shades; yellow lies between green and red."""
    random = Random(3)
    folder = tmp_path_factory.mktemp("colours") / "data"
    for name, hue in HUES.items():
        (folder / name).mkdir(parents=True)
        for number in range(20):
            red, green, blue = (max(0, min(255, value + random.randrange(-25, 25))) for value in hue)
            Image.new("RGB", (32, 40), (red, green, blue)).save(folder / name / f"{number:02d}.png")
    return folder
