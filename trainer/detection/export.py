"""The model folder: weights, ONNX with everything but suppression inside, and a description of both."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from trainer.detection.module import decode
from trainer.detection.network import CompactDetector, NetworkConfig

FORMAT_VERSION = 1
PACKAGES = ("corespec", "torch", "pytorch-lightning", "torchmetrics", "onnx", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything ``model.json`` says; ``size`` is the input's (width, height)."""

    classes: tuple[str, ...]
    size: tuple[int, int]
    network: NetworkConfig
    threshold: float
    class_agnostic: bool
    digits: bool
    parameters: Mapping[str, Any]
    fingerprint: str
    pictures: Mapping[str, int]
    metrics: Mapping[str, Mapping[str, float]]
    training: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The content of ``model.json``."""
        return {
            "format_version": FORMAT_VERSION,
            "task": "object-detection",
            "classes": list(self.classes),
            "input": {"width": self.size[0], "height": self.size[1], "layout": "uint8 NCHW RGB, letterboxed"},
            "outputs": {"boxes": "N x 4, x1 y1 x2 y2 in input pixels", "scores": "N x classes, 0 to 1"},
            "network": {"name": "compact", **self.network.as_dict()},
            "score_threshold": round(self.threshold, 4),
            "class_agnostic_nms": self.class_agnostic,
            "digits": self.digits,
            "parameters": dict(self.parameters),
            "dataset": {"fingerprint": self.fingerprint, "pictures": dict(self.pictures)},
            "metrics": {split: dict(values) for split, values in self.metrics.items()},
            "training": dict(self.training),
            "versions": _versions(),
        }


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to boxes (B, N, 4) and scores (B, N, classes)."""

    def __init__(self, network: CompactDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return decode(self.network(pictures.float()))


def write_model(network: CompactDetector, card: ModelCard, folder: Path) -> None:
    """Write ``model.safetensors``, ``model.onnx`` and, last, ``model.json``: with it a folder is whole."""
    network = network.cpu().eval()
    weights = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    (folder / "model.safetensors").write_bytes(save(weights))
    export_onnx(network, card.size, folder / "model.onnx")
    content = json.dumps(card.as_dict(), indent=2, ensure_ascii=False)
    (folder / "model.json").write_text(content + "\n", encoding="utf-8")


def export_onnx(network: CompactDetector, size: tuple[int, int], path: Path) -> None:
    """Write the network for one input size (width, height) and any batch size, weights inside the file."""
    sample = torch.zeros((2, 3, size[1], size[0]), dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # the exporter prints its stages
        program = torch.onnx.export(
            Deployed(network).eval(),
            (sample,),
            dynamo=True,
            input_names=["pictures"],
            output_names=["boxes", "scores"],
            dynamic_shapes={"pictures": {0: torch.export.Dim("batch", min=1, max=1024)}},
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=False)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
