"""A model folder that needs no training: the colour of a picture decides what is found in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def make_detector() -> Maker:
    """A function that writes a detector to a folder.

    Input 64x64. Two boxes that overlap (IoU 0.78): 8,8,40,56 and, with nine tenths of the score, 12,8,44,56.
    The scores of the classes are the mean red, green and blue of the letterboxed picture.
    """
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'corespec[train]'")
    helper, types = onnx.helper, onnx.TensorProto

    def make(folder: Path, **changes: Any) -> Path:
        def constant(name: str, values: list[float], shape: list[int]) -> Any:
            return helper.make_tensor(name, types.FLOAT, shape, values)

        nodes = [
            helper.make_node("Cast", ["pictures"], ["floats"], to=types.FLOAT),
            helper.make_node("ReduceMean", ["floats", "plane"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "scale"], ["colours"]),
            helper.make_node("Unsqueeze", ["colours", "one"], ["rows"]),
            helper.make_node("Mul", ["rows", "shares"], ["scores"]),
            helper.make_node("ReduceMean", ["rows", "last"], ["grey"], keepdims=1),
            helper.make_node("Mul", ["grey", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "places"], ["boxes"]),
        ]
        constants = [
            helper.make_tensor("plane", types.INT64, [2], [2, 3]),
            helper.make_tensor("one", types.INT64, [1], [1]),
            helper.make_tensor("last", types.INT64, [1], [2]),
            constant("scale", [1 / 255], [1]),
            constant("zero", [0.0], [1]),
            constant("shares", [1.0, 0.9], [1, 2, 1]),
            constant("places", [8, 8, 40, 56, 12, 8, 44, 56], [1, 2, 4]),
        ]
        graph = helper.make_graph(
            nodes,
            "colours",
            [helper.make_tensor_value_info("pictures", types.UINT8, ["batch", 3, 64, 64])],
            [
                helper.make_tensor_value_info("boxes", types.FLOAT, ["batch", 2, 4]),
                helper.make_tensor_value_info("scores", types.FLOAT, ["batch", 2, 3]),
            ],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / "model.onnx")
        card = {
            "format_version": 1,
            "task": "object-detection",
            "classes": ["0", "1", "2"],
            "input": {"width": 64, "height": 64},
            "score_threshold": 0.5,
            "class_agnostic_nms": True,
            "digits": True,
        }
        (folder / "model.json").write_text(json.dumps(card | changes), encoding="utf-8")
        return folder

    return make


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
