"""The compact network for whole pictures: the detector's backbone, pooled, and dense layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from trainer.training.backbone import Backbone

LARGE = 64
"""Inputs whose shorter side is at least this leave something to see after a fourth stage."""

FEATURES = "N x channels x height x width, the last feature maps: what heat maps are made of"
"""What ``model.json`` says of the output ``features``."""


@dataclass(frozen=True, slots=True)
class PooledConfig:
    """What the shape of the network depends on; stored in ``model.json`` to rebuild it."""

    outputs: int
    stem: int = 24
    widths: tuple[int, ...] = (48, 96, 160)
    depths: tuple[int, ...] = (1, 1, 1)
    projection: tuple[int, ...] = ()

    @classmethod
    def fitting(cls, outputs: int, size: tuple[int, int], projection: tuple[int, ...] = ()) -> PooledConfig:
        """The network for an input of this size (width, height)."""
        if min(size) >= LARGE:
            return cls(outputs, widths=(48, 96, 160, 224), depths=(1, 1, 1, 1), projection=projection)
        return cls(outputs, projection=projection)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


class PooledNetwork(nn.Module):
    """Pictures (B, 3, H, W), RGB 0-255 of any float type, to (B, outputs) in float32.

    ``frozen`` leaves the backbone as it is, its normalisation statistics included.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, config: PooledConfig, *, frozen: bool = False) -> None:
        super().__init__()
        self.config = config
        self.frozen = frozen
        self.backbone = Backbone(config.stem, config.widths, config.depths, 1)
        layers: list[nn.Module] = []
        width = config.widths[-1]
        for projected in config.projection:
            layers += [nn.Linear(width, projected), nn.ReLU(inplace=True)]
            width = projected
        self.projection = nn.Sequential(*layers)
        self.head = nn.Linear(width, config.outputs)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 114.0), persistent=False)
        self.register_buffer("scale", torch.full((1, 3, 1, 1), 1 / 64.0), persistent=False)
        self.backbone.requires_grad_(not frozen)

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def features(self, pictures: Tensor) -> Tensor:
        """The last feature maps (B, C, h, w); what is judged is their mean over the places."""
        maps: list[Tensor] = self.backbone((pictures - self.mean) * self.scale)
        return maps[-1]

    def judge(self, features: Tensor) -> Tensor:
        """Feature maps (B, C, h, w) to (B, outputs) in float32."""
        outputs: Tensor = self.head(self.projection(features.mean((2, 3))))
        return outputs.float()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.judge(self.features(pictures))
