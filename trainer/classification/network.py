"""The compact classifier: the detector's backbone, pooled, and dense layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.training.backbone import Backbone

STAGES = 4
"""Stages of the backbone at most; the stem and each of them halve the picture."""


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """What the shape of the network depends on; stored in ``model.json`` to rebuild it."""

    classes: int
    stem: int = 24
    widths: tuple[int, ...] = (48, 96, 160)
    depths: tuple[int, ...] = (1, 1, 1)
    projection: tuple[int, ...] = ()

    @classmethod
    def fitting(
        cls, classes: int, size: tuple[int, int], projection: tuple[int, ...] = ()
    ) -> ClassifierConfig:
        """A stage more for inputs (width, height) that leave something to see after it."""
        if min(size) >= 64:
            return cls(classes, widths=(48, 96, 160, 224), depths=(1, 1, 1, 1), projection=projection)
        return cls(classes, projection=projection)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


class CompactClassifier(nn.Module):
    """Pictures (B, 3, H, W), RGB 0-255 of any float type, to logits (B, classes) in float32."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.stem, config.widths, config.depths, 1)
        layers: list[nn.Module] = []
        width = config.widths[-1]
        for projected in config.projection:
            layers += [nn.Linear(width, projected), nn.ReLU(inplace=True)]
            width = projected
        self.projection = nn.Sequential(*layers)
        self.classify = nn.Linear(width, config.classes)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 114.0), persistent=False)
        self.register_buffer("scale", torch.full((1, 3, 1, 1), 1 / 64.0), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        (features,) = self.backbone((pictures - self.mean) * self.scale)
        logits: Tensor = self.classify(self.projection(features.mean((2, 3))))
        return logits.float()
