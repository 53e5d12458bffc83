"""Changing pictures so that no two epochs look alike: whole batches at once, on whatever device they are.

The work is a handful of tensor operations a batch, a few per cent of the time of a training step; every
draw comes from the generator that is passed in, so that a step can be repeated exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainer.inference.letterbox import PADDING


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Ranges of the draws; for ``blur``, ``glare``, ``noise`` and ``mosaic`` the share of changed pictures.

    Angles are degrees; ``scale`` and ``stretch`` exponents of e; ``shift`` is a share of the input;
    ``brightness`` is grey levels; the rest are factors around 1.
    """

    degrees: float = 3.0
    shear: float = 2.0
    scale: float = 0.18
    stretch: float = 0.1
    shift: float = 0.1
    brightness: float = 30.0
    contrast: float = 0.3
    saturation: float = 0.5
    cast: float = 0.1
    blur: float = 0.2
    glare: float = 0.2
    noise: float = 0.2
    mosaic: float = 0.0

    @classmethod
    def of(cls, names: Collection[str]) -> AugmentationConfig:
        """The usual strength of what is named, nothing of the rest; ``names`` are those of ``PARTS``."""
        usual = cls(mosaic=MOSAIC)
        return cls(
            **{
                field: getattr(usual, field) if name in names else 0.0
                for name, fields in PARTS.items()
                for field in fields
            }
        )


MOSAIC = 0.25
"""Share of the pictures that become mosaics where these are wanted."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "colour": ("brightness", "contrast", "saturation", "cast"),
    "blur": ("blur",),
    "glare": ("glare",),
    "noise": ("noise",),
    "rotation": ("degrees", "shear"),
    "scale": ("scale", "stretch", "shift"),
    "mosaic": ("mosaic",),
}
"""Which ranges belong to which name of the parameter ``additional_augmentations``."""


def change(pictures: Tensor, config: AugmentationConfig, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photometric and affine changes of pictures (B, 3, H, W), 0-255.

    The second tensor (B, 2, 3) maps old pixel coordinates to new ones.
    """
    pictures = _photometric(pictures, config, random)
    matrices = _affine_matrices(pictures, config, random)
    return _warp(pictures, matrices), matrices


def mirror(pictures: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Half of the pictures mirrored left to right, and which (B,)."""
    mirrored = torch.rand(pictures.shape[0], generator=random) < 0.5
    mirrored = mirrored.to(pictures.device)
    return torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures), mirrored


def ordered(pictures: Tensor) -> Tensor:
    """Channels last: without it oneDNN falls back to kernels that take three times as long."""
    return pictures.contiguous(memory_format=torch.channels_last)


def step_generator(seed: int, step: int, part: int) -> torch.Generator:
    """The draws of one part of one step: nothing else enters, so that a resumed run sees the same changes."""
    return torch.Generator().manual_seed(step_seed(seed, step, part))


def step_seed(seed: int, step: int, part: int) -> int:
    """A number of its own for every part of every step."""
    return ((seed + 1) * 1_000_003 + step) * 64 + part


def _uniform(
    count: int, low: float, high: float, random: torch.Generator, like: Tensor, *shape: int
) -> Tensor:
    draws = torch.rand((count, *shape), generator=random) * (high - low) + low
    return draws.to(like.device, like.dtype)


def _photometric(pictures: Tensor, config: AugmentationConfig, random: torch.Generator) -> Tensor:
    """Colours of all pictures; blur, glare and noise of some."""
    pictures = _recoloured(pictures, config, random)
    for share, change in ((config.blur, _blurred), (config.glare, _glare), (config.noise, _noisy)):
        chosen = torch.nonzero(torch.rand(pictures.shape[0], generator=random) < share)[:, 0]
        if len(chosen):
            chosen = chosen.to(pictures.device)
            pictures = pictures.index_copy_(0, chosen, change(pictures[chosen], random))
    return pictures.clamp_(0, 255)


def _recoloured(pictures: Tensor, config: AugmentationConfig, random: torch.Generator) -> Tensor:
    """Saturation, contrast, colour cast and brightness as one 3x3 matrix and offset a picture.

    All four are linear in the pixel, so one pass over the batch does what four would.
    """
    count, channels, height, width = pictures.shape

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return _uniform(count, low, high, random, pictures, *shape)

    saturation = draw(1 - config.saturation, 1 + config.saturation, 1, 1)
    contrast = draw(1 - config.contrast, 1 + config.contrast, 1, 1)
    identity = torch.eye(channels, device=pictures.device)
    matrix = (saturation * identity + (1 - saturation) / channels) * contrast
    offset = draw(-config.brightness, config.brightness, 1, 1) + PADDING * (1 - contrast)
    cast = draw(1 - config.cast, 1 + config.cast, channels, 1)
    colours = torch.baddbmm(offset * cast, matrix * cast, pictures.reshape(count, channels, -1))
    return colours.reshape(count, channels, height, width)


def _blurred(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Box blur along both axes, of one of two strengths."""
    kernel = 3 if torch.rand((), generator=random) < 0.7 else 5
    padded = functional.pad(pictures, (kernel // 2,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, kernel, stride=1)


def _glare(pictures: Tensor, random: torch.Generator) -> Tensor:
    """One soft bright ellipse a picture, 30 to 160 grey levels high."""
    count, _, height, width = pictures.shape

    def bump(length: int, low: float, high: float) -> Tensor:
        place = torch.linspace(0, 1, length, device=pictures.device)
        centre = _uniform(count, 0, 1, random, pictures, 1)
        return torch.exp(-(((place - centre) / _uniform(count, low, high, random, pictures, 1)) ** 2))

    rows = bump(height, 0.08, 0.5) * _uniform(count, 30, 160, random, pictures, 1)
    return pictures + (rows[:, :, None] * bump(width, 0.04, 0.25)[:, None, :])[:, None]


def _noisy(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Grain, the same in the three channels, up to 12 grey levels."""
    grain = torch.randn((pictures.shape[0], 1, *pictures.shape[2:]), generator=random).to(pictures)
    return pictures + grain * _uniform(pictures.shape[0], 0, 12, random, pictures, 1, 1, 1)


def _affine_matrices(pictures: Tensor, config: AugmentationConfig, random: torch.Generator) -> Tensor:
    """Maps of old pixel coordinates to new ones about the picture's centre: (B, 2, 3)."""
    count, _, height, width = pictures.shape

    def draw(low: float, high: float) -> Tensor:
        return _uniform(count, low, high, random, pictures)

    angle = draw(-config.degrees, config.degrees) * (math.pi / 180)
    shear = draw(-config.shear, config.shear) * (math.pi / 180)
    size = torch.exp(draw(-config.scale, config.scale))
    stretch = torch.exp(draw(-config.stretch, config.stretch))
    scale_x, scale_y = size * stretch, size / stretch
    cosine, sine = torch.cos(angle), torch.sin(angle)
    linear = torch.stack(
        (
            torch.stack((cosine * scale_x, (shear.tan() * cosine - sine) * scale_y), -1),
            torch.stack((sine * scale_x, (shear.tan() * sine + cosine) * scale_y), -1),
        ),
        1,
    )
    centre = torch.tensor([width / 2, height / 2], device=pictures.device)
    shift = torch.stack(
        (draw(-config.shift, config.shift) * width, draw(-config.shift, config.shift) * height), -1
    )
    offset = centre + shift - (linear @ centre)
    return torch.cat((linear, offset[..., None]), -1)


def _warp(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Resample the pictures; what comes from outside is padding grey."""
    count, _, height, width = pictures.shape
    square = torch.zeros((count, 3, 3), device=pictures.device)
    square[:, :2] = matrices
    square[:, 2, 2] = 1
    inverse = torch.linalg.inv(square)[:, :2]
    # Pixel coordinates (0 at the left edge) to the -1..1 that grid_sample speaks.
    size = torch.tensor([width / 2, height / 2], device=pictures.device)
    linear = inverse[:, :, :2] * size[None, None, :] / size[None, :, None]
    offset = (inverse[:, :, :2] @ size + inverse[:, :, 2]) / size - 1
    grid = functional.affine_grid(
        torch.cat((linear, offset[..., None]), -1), [count, 3, height, width], align_corners=False
    )
    return functional.grid_sample(pictures - PADDING, grid, align_corners=False) + PADDING
