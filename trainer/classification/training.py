"""The training of a classifier: what it adds to a training on class folders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor, nn
from typing_extensions import override

from trainer.classification.charts import PANELS, draw_samples
from trainer.classification.module import SELECTION, ClassificationModule
from trainer.data.records import SplitName
from trainer.labelled.network import FEATURES, PooledNetwork
from trainer.labelled.pictures import collate
from trainer.labelled.training import LabelledTraining
from trainer.parameters.classification import ClassificationParameters
from trainer.report.evidence import ClassifiedPicture, Evidence
from trainer.training.charts import draw_confusion, draw_curves
from trainer.training.datamodule import TrainingData
from trainer.training.export import write_folder
from trainer.training.progress import Vocabulary
from trainer.training.run import Metrics

EVALUATION_BATCH = 64


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to probabilities (B, classes) and feature maps."""

    def __init__(self, network: PooledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(pictures.float())
        return self.network.judge(features).softmax(1), features.float()


class ClassificationTraining(LabelledTraining[ClassificationParameters]):
    """Trains the compact classifier."""

    title = "compact classifier"
    watched = "accuracy"
    best = SELECTION
    vocabulary = Vocabulary(("accuracy", "balanced_accuracy", "f1score"), lambda name: ":" in name)
    module: ClassificationModule

    def make_data(self) -> TrainingData:
        """Letterboxed pictures with their class."""
        self.sets = self.make_sets()
        return TrainingData(
            self.sets,
            self.sampler(len(self.sets["train"])),
            collate,
            workers=self.parameters.num_workers,
            evaluation_batch=EVALUATION_BATCH,
        )

    def make_module(self) -> ClassificationModule:
        """The compact classifier, for this dataset's classes."""
        network = PooledNetwork(self.network_config(len(self.dataset.classes)))
        return ClassificationModule(network, self.dataset.classes, self.recipe(), self.preparation())

    def write_model(self, metrics: Metrics) -> None:
        """Weights, ONNX with the probabilities, and the description."""
        network = self.module.network.cpu().eval()
        outputs = {"probs": "N x classes, 0 to 1", "features": FEATURES}
        document = self.document("image-classification", outputs, network.config, metrics)
        write_folder(network, Deployed(network), self.size, tuple(outputs), document, self.folder)

    @override
    def evidence(self, split: SplitName) -> Evidence:
        """The probabilities of every picture of the split."""
        found = super().evidence(split)
        if self.module.figures is None:
            return found
        pictures = self.sets[split]
        rows = zip(pictures.pictures, pictures.labels, self.module.figures.probabilities, strict=True)
        seen = [ClassifiedPicture(p.stem, int(label), np.round(row, 5).tolist()) for p, label, row in rows]
        return replace(found, pictures=seen)

    def draw(self, metrics: Metrics) -> None:
        """Curves, confusion matrix and the pictures that were judged worst."""
        draw_curves(self.reporter.curves, PANELS, self.folder / "curves.png")
        found, classes = self.module.figures, self.dataset.classes
        if found is None:
            return
        split: SplitName = "test" if "test" in metrics else "validation"
        draw_confusion(found.confusion, classes, self.folder / "confusion_matrix.png")
        draw_samples(self.sets[split], found.probabilities, classes, self.folder / "samples")
