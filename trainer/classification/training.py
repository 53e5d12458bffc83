"""The training of a classifier: what it adds to a training as such."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from trainer.classification.charts import PANELS, draw_samples
from trainer.classification.module import SELECTION, ClassificationModule
from trainer.classification.network import ClassifierConfig, CompactClassifier
from trainer.data.records import SplitName
from trainer.inference.card import FORMAT_VERSION
from trainer.labelled.input_size import CPU_PIXELS, GPU_PIXELS, choose_input_size
from trainer.labelled.pictures import LabelledSet, collate
from trainer.labelled.preparation import Preparation
from trainer.parameters.classification import ClassificationParameters
from trainer.training.charts import draw_confusion, draw_curves
from trainer.training.datamodule import TrainingData
from trainer.training.export import write_folder
from trainer.training.progress import Vocabulary
from trainer.training.run import Metrics, TrainingRun


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to probabilities (B, classes)."""

    def __init__(self, network: CompactClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.network(pictures.float())
        return logits.softmax(1)


class ClassificationTraining(TrainingRun[ClassificationParameters]):
    """Trains the compact classifier on class folders."""

    title = "compact classifier"
    watched = "accuracy"
    best = SELECTION
    vocabulary = Vocabulary(("accuracy", "balanced_accuracy", "f1score"), lambda name: ":" in name)
    module: ClassificationModule

    def choose_size(self) -> tuple[int, int]:
        """That of the pictures, within what the machine can take."""
        return choose_input_size(
            self.dataset.splits["train"],
            self.parameters.input_width,
            self.parameters.input_height,
            CPU_PIXELS if self.accelerator == "cpu" else GPU_PIXELS,
        )

    def make_data(self) -> TrainingData:
        """Letterboxed pictures with their class."""
        self.sets: dict[SplitName, LabelledSet] = {
            split: LabelledSet(pictures, self.dataset.classes, self.size)
            for split, pictures in self.dataset.splits.items()
        }
        sampler = self.sampler(len(self.sets["train"]))
        return TrainingData(
            self.sets, sampler, collate, workers=self.parameters.num_workers, evaluation_batch=64
        )

    def make_module(self) -> ClassificationModule:
        """The compact classifier, for this dataset's classes."""
        parameters = self.parameters
        config = ClassifierConfig.fitting(len(self.dataset.classes), self.size, parameters.projection_layers)
        preparation = Preparation.chosen(
            parameters.seed,
            parameters.additional_augmentations,
            parameters.horizontal_flip,
            self.dataset.classes,
        )
        return ClassificationModule(config, self.dataset.classes, self.recipe(), preparation)

    def write_model(self, metrics: Metrics) -> None:
        """Weights, ONNX with the probabilities, and the description."""
        network = self.module.network.cpu().eval()
        write_folder(network, Deployed(network), self.size, ("probs",), self._document(metrics), self.folder)

    def draw(self, metrics: Metrics) -> None:
        """Curves, confusion matrix and the pictures that were judged worst."""
        draw_curves(self.reporter.curves, PANELS, self.folder / "curves.png")
        if self.module.figures is None:
            return
        split: SplitName = "test" if "test" in metrics else "validation"
        draw_confusion(
            self.module.figures.confusion, self.dataset.classes, self.folder / "confusion_matrix.png"
        )
        draw_samples(
            self.sets[split],
            self.module.figures.probabilities,
            self.dataset.classes,
            self.folder / "samples",
        )

    def _document(self, metrics: Metrics) -> dict[str, Any]:
        origin = self.described()
        return {
            "format_version": FORMAT_VERSION,
            "task": "image-classification",
            "classes": list(self.dataset.classes),
            "input": {"width": self.size[0], "height": self.size[1], "layout": "uint8 NCHW RGB, letterboxed"},
            "outputs": {"probs": "N x classes, 0 to 1"},
            "network": {"name": "compact", **self.module.network.config.as_dict()},
            "parameters": origin["parameters"],
            "dataset": {"fingerprint": origin["fingerprint"], "pictures": origin["pictures"]},
            "metrics": {split: dict(values) for split, values in metrics.items()},
            "training": origin["training"],
        }
