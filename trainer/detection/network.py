"""The compact anchor-free detector in plain PyTorch, small enough to train on two cores.

A residual backbone (strides 2 to 32), a feature pyramid at strides 8, 16 and 32, and one head whose
convolutions are shared by the levels while each level keeps its own normalisation, as in RTMDet
(arXiv 2212.07784): objects of every size teach the same filters. Distances to the four sides are
predicted as distributions (arXiv 2006.04388), which localises better than plain regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.training.backbone import Backbone, ConvNorm

STRIDES = (8, 16, 32)
"""Pixels between two neighbouring prediction points, one entry per pyramid level."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What the shape of the network depends on; stored in ``model.json`` to rebuild it."""

    classes: int
    stem: int = 24
    widths: tuple[int, ...] = (48, 96, 160, 192)
    depths: tuple[int, ...] = (1, 1, 1, 1)
    pyramid: int = 64
    bins: int = 12

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


class Predictions(NamedTuple):
    """Raw outputs for a batch: N prediction points, all levels one after the other.

    ``logits`` (B, N, classes); ``distributions`` (B, N, 4, bins), unnormalised; ``points`` (N, 2) x, y in
    input pixels; ``strides`` (N,) in pixels.
    """

    logits: Tensor
    distributions: Tensor
    points: Tensor
    strides: Tensor


class Pyramid(nn.Module):
    """Top-down feature pyramid: every level gets ``width`` channels and the context of those above it."""

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvNorm(channels, width, kernel=1) for channels in inputs)
        self.smooth = nn.ModuleList(ConvNorm(width, width) for _ in inputs)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        merged: list[Tensor] = []
        for level in reversed(range(len(maps))):
            features = self.lateral[level](maps[level])
            if merged:
                features = features + functional.interpolate(merged[0], scale_factor=2.0, mode="nearest")
            merged.insert(0, self.smooth[level](features))
        return merged


class Tower(nn.Module):
    """Two 3x3 convolutions shared by all levels, each level with its own normalisation."""

    def __init__(self, width: int, levels: int, depth: int = 2) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3, momentum=0.03) for _ in range(depth))
            for _ in range(levels)
        )

    def forward(self, features: Tensor, level: int) -> Tensor:
        norms = self.norms[level]
        assert isinstance(norms, nn.ModuleList)
        for convolution, norm in zip(self.convolutions, norms, strict=True):
            features = functional.relu(norm(convolution(features)), inplace=True)
        return features


class CompactDetector(nn.Module):
    """Pictures (B, 3, H, W), RGB 0-255 of any float type, H and W multiples of 32, to ``Predictions``."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.stem, config.widths, config.depths, len(STRIDES))
        self.pyramid = Pyramid(config.widths[-len(STRIDES) :], config.pyramid)
        self.class_tower = Tower(config.pyramid, len(STRIDES))
        self.box_tower = Tower(config.pyramid, len(STRIDES))
        self.classify = nn.Conv2d(config.pyramid, config.classes, 1)
        self.locate = nn.Conv2d(config.pyramid, 4 * config.bins, 1)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 114.0), persistent=False)
        self.register_buffer("scale", torch.full((1, 3, 1, 1), 1 / 64.0), persistent=False)
        # One point in a hundred is an object at the start (arXiv 1708.02002): the first losses stay small.
        assert self.classify.bias is not None
        nn.init.constant_(self.classify.bias, math.log(0.01 / 0.99))
        # Boxes of about three strides at the start: an even distribution would predict eleven, which overlaps
        # small objects too little for the assignment to tell a good point from a bad one.
        assert self.locate.bias is not None
        with torch.no_grad():
            self.locate.bias.copy_(torch.arange(config.bins).mul(-0.5).repeat(4))

    def inner_convolutions(self) -> list[Tensor]:
        """Weights from features to features: none that sees colours or speaks of classes and sides."""
        outer = (self.classify, self.locate, self.backbone.stem[0])
        return [
            module.weight
            for module in self.modules()
            if isinstance(module, nn.Conv2d) and all(module is not other for other in outer)
        ]

    def forward(self, pictures: Tensor) -> Predictions:
        maps = self.pyramid(self.backbone((pictures - self.mean) * self.scale))
        logits, distributions = [], []
        for level, features in enumerate(maps):
            logits.append(self.classify(self.class_tower(features, level)).flatten(2))
            distributions.append(self.locate(self.box_tower(features, level)).flatten(2))
        points, strides = prediction_points(pictures.shape[2], pictures.shape[3], pictures.device)
        shape = (pictures.shape[0], points.shape[0])
        # Losses and decoding happen in float32 whatever the convolutions ran in.
        return Predictions(
            torch.cat(logits, 2).transpose(1, 2).float(),
            torch.cat(distributions, 2).transpose(1, 2).float().reshape(*shape, 4, self.config.bins),
            points,
            strides,
        )


def prediction_points(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cell centres (N, 2) as x, y in pixels, and their strides (N,), level after level, row after row."""
    points, strides = [], []
    for stride in STRIDES:
        ys = (torch.arange(height // stride, device=device) + 0.5) * stride
        xs = (torch.arange(width // stride, device=device) + 0.5) * stride
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        level = torch.stack((grid_x, grid_y), dim=-1).reshape(-1, 2)
        points.append(level)
        strides.append(torch.full((level.shape[0],), float(stride), device=device))
    return torch.cat(points), torch.cat(strides)
