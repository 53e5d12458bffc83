"""How pictures with one class each are changed before the network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.training.augment import AugmentationConfig, change, mirror, ordered, step_generator

CHANGES = AugmentationConfig(degrees=6, shear=5, scale=0.15, shift=0.08)


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures are changed before the network sees them; None and False leave them as they are."""

    seed: int
    augmentation: AugmentationConfig | None
    mirror: bool

    def for_training(self, pictures: Tensor, step: int, part: int) -> Tensor:
        """Pictures as float32, changed by what ``seed``, ``step`` and ``part`` of the batch draw."""
        random = step_generator(self.seed, step, part)
        pictures = pictures.float()
        with torch.autocast(pictures.device.type, enabled=False):
            if self.mirror:
                pictures, _ = mirror(pictures, random)
            if self.augmentation is not None:
                pictures, _ = change(pictures.contiguous(), self.augmentation, random)
        return ordered(pictures)
