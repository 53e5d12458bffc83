"""The Lightning module: one optimizer step, and the collecting of detections in evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from trainer.detection.boxes import decode_boxes, expected_distances
from trainer.detection.evaluation import Evaluation, Figures
from trainer.detection.losses import Losses, detection_loss
from trainer.detection.network import CompactDetector, Predictions
from trainer.detection.outcomes import Outcome
from trainer.detection.pictures import Batch
from trainer.detection.preparation import Preparation
from trainer.detection.suppression import detect
from trainer.training import processes
from trainer.training.module import WEIGHT_DECAY, Recipe, TrainedModule
from trainer.training.muon import Muon
from trainer.training.replicas import trained


class DetectionModule(TrainedModule[Any]):
    """Trains ``CompactDetector``; for other networks a subclass says how they learn and what they find.

    ``figures`` holds the latest evaluation; ``threshold`` is the score threshold chosen on validation, and
    ``reading_confidence`` that from which on readings are accepted: the test split is judged by them.
    """

    figures: Figures | None
    nms_free: ClassVar[bool] = False
    """Whether the network names every object once, so that nothing has to be suppressed."""

    def __init__(
        self,
        network: nn.Module,
        classes: tuple[str, ...],
        recipe: Recipe,
        *,
        class_agnostic: bool,
        preparation: Preparation,
    ) -> None:
        super().__init__(network, recipe)
        self.classes = classes
        self.class_agnostic = class_agnostic
        self.threshold: float | None = None
        self.reading_confidence: float | None = None
        self.figures = None
        self.evaluation = Evaluation(classes)
        self.preparation = preparation

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Muon for the inner convolutions, AdamW for the rest."""
        inner = self.network.inner_convolutions()
        chosen = {id(weights) for weights in inner}
        others = [weights for weights in trained(self.network) if id(weights) not in chosen]
        return Muon(inner, others, self.learning_rate, WEIGHT_DECAY)

    def losses(self, network: CompactDetector, batch: Batch, part: int) -> Losses:
        """Change the pictures and compute their losses."""
        changed = self.preparation.for_training(batch, self.global_step, part)
        return detection_loss(network(changed.pictures), changed.truth)

    def found(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (B, N, 4) in input pixels and class probabilities (B, N, classes), in float32."""
        return decode(self.network(pictures))

    def on_validation_epoch_start(self) -> None:
        self.evaluation = Evaluation(self.classes)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        self._gather()
        self.figures = self.evaluation.figures(detailed=not fitting)
        self.threshold = self.figures.threshold
        self.reading_confidence = self.figures.reading_confidence
        self.log_dict(dict(self.figures.metrics))

    def on_test_epoch_start(self) -> None:
        self.evaluation = Evaluation(self.classes)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self._collect(batch)

    def on_test_epoch_end(self) -> None:
        self._gather()
        self.figures = self.evaluation.figures(self.threshold, self.reading_confidence, detailed=True)

    def _gather(self) -> None:
        """Take in what the other processes have found."""
        self.evaluation.outcomes = processes.gather((one.index, one) for one in self.evaluation.outcomes)

    def _collect(self, batch: Batch) -> None:
        boxes, scores = self.found(self.preparation.for_evaluation(batch).pictures)
        for row, index in enumerate(batch.indices):
            valid = batch.truth.valid[row]
            found = detect(
                boxes[row].cpu().numpy(),
                scores[row].cpu().numpy(),
                region=batch.regions[row],
                class_agnostic=self.class_agnostic,
                nms_free=self.nms_free,
            )
            truth = batch.truth.boxes[row][valid].cpu().numpy()
            labels = batch.truth.labels[row][valid].cpu().numpy()
            self.evaluation.add(Outcome(index, found, truth, labels, batch.scales[row]))

    def kept(self) -> dict[str, Any]:
        """The thresholds belong to the weights."""
        return {"threshold": self.threshold, "reading_confidence": self.reading_confidence}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take up the thresholds."""
        self.threshold, self.reading_confidence = kept["threshold"], kept["reading_confidence"]


def decode(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Boxes (B, N, 4) in input pixels and class probabilities (B, N, classes)."""
    distances = expected_distances(predictions.distributions)
    return decode_boxes(distances, predictions.points, predictions.strides), predictions.logits.sigmoid()
