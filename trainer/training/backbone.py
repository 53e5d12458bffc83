"""The residual backbone that detector and classifier share, in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation and ReLU; ``stride`` 2 halves the map."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut; the second starts as the identity (its scale is zero)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)
        nn.init.zeros_(self.norm.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.relu(inputs + self.norm(self.second(self.first(inputs))), inplace=True)


class Backbone(nn.Module):
    """Pictures (B, 3, H, W) to the feature maps of the last ``levels`` stages.

    The stem halves the picture, and so does every stage: ``widths`` and ``depths`` are its channels and the
    residual blocks that follow its first convolution.
    """

    def __init__(self, stem: int, widths: Sequence[int], depths: Sequence[int], levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.stem = ConvNorm(3, stem, stride=2)
        widths = (stem, *widths)
        self.stages = nn.ModuleList(
            nn.Sequential(
                ConvNorm(widths[i], widths[i + 1], stride=2), *(Residual(widths[i + 1]) for _ in range(depth))
            )
            for i, depth in enumerate(depths)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        features = self.stem(pictures)
        maps = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps[-self.levels :]
