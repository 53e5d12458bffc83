"""The training of a detector: what it adds to a training as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from typing_extensions import override

from trainer.data.records import SplitName
from trainer.detection.charts import PANELS, draw_samples
from trainer.detection.export import Deployed, ModelCard, write_model
from trainer.detection.input_size import CPU_PIXELS, GPU_PIXELS, choose_input_size
from trainer.detection.module import DetectionModule
from trainer.detection.network import CompactDetector, NetworkConfig
from trainer.detection.outcomes import Outcome
from trainer.detection.pictures import PictureSet, collate
from trainer.detection.preparation import Preparation
from trainer.detection.reading import are_characters, are_digits
from trainer.parameters.detection import DetectionParameters
from trainer.report.evidence import DetectedPicture, Evidence
from trainer.training.augment import AugmentationConfig
from trainer.training.charts import draw_confusion, draw_curves
from trainer.training.datamodule import TrainingData
from trainer.training.progress import Vocabulary
from trainer.training.run import Metrics, TrainingRun, switched


def is_class_metric(name: str) -> bool:
    """Whether a metric belongs to one class only."""
    return name.startswith(("mAP/", "coco/mAP/")) and name != "mAP/allClasses"


class DetectionTraining(TrainingRun[DetectionParameters]):
    """Trains the compact detector on a Pascal VOC dataset."""

    title = "compact detector"
    watched = "mAP/allClasses"
    # AP at IoU 0.5 saturates early on easy data and says nothing about how well the boxes fit.
    best = "coco/mAP"
    vocabulary = Vocabulary(
        ("mAP/allClasses", "coco/mAP", "coco/mAP_75", "F1", "reading_accuracy"), is_class_metric
    )
    module: DetectionModule

    def choose_size(self) -> tuple[int, int]:
        """As large as the objects need."""
        return choose_input_size(
            self.dataset.splits["train"],
            self.parameters.input_width,
            self.parameters.input_height,
            CPU_PIXELS if self.accelerator == "cpu" else GPU_PIXELS,
        )

    def make_data(self) -> TrainingData:
        """Letterboxed pictures with their boxes."""
        self.sets: dict[SplitName, PictureSet] = {
            split: PictureSet(pictures, self.dataset.classes, self.size)
            for split, pictures in self.dataset.splits.items()
        }
        sampler = self.sampler(len(self.sets["train"]))
        return TrainingData(self.sets, sampler, collate, workers=self.parameters.num_workers)

    def make_module(self) -> DetectionModule:
        """The compact detector, for this dataset's classes."""
        return DetectionModule(
            CompactDetector(NetworkConfig(len(self.dataset.classes))),
            self.dataset.classes,
            self.recipe(),
            **self.module_options(),
        )

    def module_options(self) -> dict[str, Any]:
        """What the module is told whatever its network: changes of pictures, rules of suppression."""
        parameters, characters = self.parameters, are_characters(self.dataset.classes)
        return {
            "class_agnostic": switched(parameters.class_agnostic_nms, characters),
            "preparation": Preparation(
                parameters.seed,
                AugmentationConfig.of(names) if (names := parameters.additional_augmentations) else None,
                switched(parameters.horizontal_flip, not characters),
            ),
        }

    @property
    def threshold(self) -> float:
        """The lowest score that counts: chosen on validation, a half without one."""
        return self.module.threshold if self.module.threshold is not None else 0.5

    def write_model(self, metrics: Metrics) -> None:
        """Weights, ONNX with decoding, and the description."""
        network = self.module.network
        config = {"name": "compact", **network.config.as_dict()}
        write_model(network, Deployed(network), self.card(config, metrics), self.folder)

    def card(self, network: Mapping[str, Any], metrics: Metrics) -> ModelCard:
        """The description of a model whose network is ``network``."""
        return ModelCard(
            classes=self.dataset.classes,
            size=self.size,
            network=network,
            threshold=self.threshold,
            class_agnostic=self.module.class_agnostic,
            nms_free=self.module.nms_free,
            digits=are_digits(self.dataset.classes),
            reading_confidence=self.module.reading_confidence,
            metrics={str(split): values for split, values in metrics.items()},
            **self.described(),
        )

    @override
    def evidence(self, split: SplitName) -> Evidence:
        """What was found in every picture of the split, in pixels of the picture."""
        return replace(
            super().evidence(split),
            pictures=[_seen(self.sets[split], outcome) for outcome in self.module.evaluation.outcomes],
        )

    def draw(self, metrics: Metrics) -> None:
        """Curves, confusion matrix and sample pictures."""
        draw_curves(self.reporter.curves, PANELS, self.folder / "curves.png")
        if self.module.figures is None:
            return
        split: SplitName = "test" if "test" in metrics else "validation"
        names = [*self.dataset.classes, "background"]
        draw_confusion(self.module.figures.confusion, names, self.folder / "confusion_matrix.png")
        draw_samples(
            self.sets[split],
            self.module.evaluation.outcomes,
            self.dataset.classes,
            self.threshold,
            self.folder / "samples",
        )


def _seen(pictures: PictureSet, outcome: Outcome) -> DetectedPicture:
    picture, letterbox = pictures.pictures[outcome.index], pictures.letterboxes[outcome.index]
    size, found = (picture.width, picture.height), outcome.found
    return DetectedPicture(
        picture.stem,
        np.round(letterbox.to_picture(outcome.boxes, size), 2).tolist(),
        outcome.labels.tolist(),
        np.round(letterbox.to_picture(found.boxes, size), 2).tolist(),
        found.labels.tolist(),
        np.round(found.scores, 4).tolist(),
    )
