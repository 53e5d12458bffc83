"""The detector's model folder: its graph holds everything but suppression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainer.detection.module import decode
from trainer.detection.network import CompactDetector
from trainer.inference.card import FORMAT_VERSION
from trainer.training.export import write_folder


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What ``model.json`` says of a detector; ``size`` is the input's (width, height)."""

    classes: tuple[str, ...]
    size: tuple[int, int]
    network: Mapping[str, Any]
    threshold: float
    class_agnostic: bool
    nms_free: bool
    digits: bool
    reading_confidence: float | None
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
            "network": dict(self.network),
            "score_threshold": round(self.threshold, 4),
            "class_agnostic_nms": self.class_agnostic,
            "nms_free": self.nms_free,
            "digits": self.digits,
            "reading_confidence": self.reading_confidence,
            "parameters": dict(self.parameters),
            "dataset": {"fingerprint": self.fingerprint, "pictures": dict(self.pictures)},
            "metrics": {split: dict(values) for split, values in self.metrics.items()},
            "training": dict(self.training),
        }


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to boxes (B, N, 4) and scores (B, N, classes)."""

    def __init__(self, network: CompactDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return decode(self.network(pictures.float()))


def write_model(
    network: nn.Module, deployed: nn.Module, card: ModelCard, folder: Path, *, strict: bool = False
) -> None:
    """Write weights, ONNX and description into ``folder``; ``strict`` as for ``export_onnx``."""
    network = network.cpu().eval()
    write_folder(network, deployed, card.size, ("boxes", "scores"), card.as_dict(), folder, strict=strict)
