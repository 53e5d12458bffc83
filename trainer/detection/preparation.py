"""From batches of bytes to what the network takes, changed at random in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from trainer.detection.augment import augment, flip
from trainer.detection.pictures import Batch
from trainer.training.augment import AugmentationConfig, ordered, step_generator


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures are changed before the network sees them; None and False leave them as they are."""

    seed: int
    augmentation: AugmentationConfig | None
    mirror: bool

    def for_training(self, batch: Batch, step: int, part: int) -> Batch:
        """Pictures as float32, changed by what ``seed``, ``step`` and ``part`` of the batch draw."""
        random = step_generator(self.seed, step, part)
        pictures, truth = batch.pictures.float(), batch.truth
        # In half precision the matrices that move the boxes would be wrong by whole pixels.
        with torch.autocast(pictures.device.type, enabled=False):
            if self.mirror:
                pictures, truth = flip(pictures, truth, random)
            if self.augmentation is not None:
                pictures, truth = augment(pictures.contiguous(), truth, self.augmentation, random)
        return batch._replace(pictures=ordered(pictures), truth=truth)

    def for_evaluation(self, batch: Batch) -> Batch:
        """Pictures as float32, unchanged."""
        return batch._replace(pictures=ordered(batch.pictures.float()))
