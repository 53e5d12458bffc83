"""The training of an embedder: what it adds to a training on class folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as lightning
from torch import Tensor, nn
from torch.utils.data import DataLoader
from typing_extensions import override

from trainer.data.records import SplitName
from trainer.errors import ParameterError
from trainer.labelled.network import FEATURES
from trainer.labelled.pictures import Batch, collate
from trainer.labelled.training import LabelledTraining
from trainer.parameters.retrieval import RetrievalParameters
from trainer.retrieval.evaluation import Embedded, figures
from trainer.retrieval.index import write_index
from trainer.retrieval.losses import LOSSES
from trainer.retrieval.module import SELECTION, RetrievalModule
from trainer.retrieval.network import CompactEmbedder
from trainer.retrieval.sampler import PKSampler
from trainer.training.charts import draw_confusion, draw_curves
from trainer.training.datamodule import TrainingData
from trainer.training.export import write_folder
from trainer.training.module import Recipe
from trainer.training.progress import Vocabulary
from trainer.training.run import Metrics

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss", "loss/active")),
    ("validation", ("top_1_acc", "mean_dist_pos", "mean_dist_neg")),
    ("learning rate", ("learning_rate",)),
)
INDEX_BATCH = 64


class Deployed(nn.Module):
    """What ONNX holds: letterboxed bytes (B, 3, H, W) to unit vectors (B, dimensions) and feature maps."""

    def __init__(self, network: CompactEmbedder) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(pictures.float())
        return self.network.judge(features), features.float()


class RetrievalTraining(LabelledTraining[RetrievalParameters]):
    """Trains the compact embedder."""

    title = "compact embedder"
    watched = "top_1_acc"
    best = SELECTION
    vocabulary = Vocabulary(("top_1_acc", "mean_dist_pos", "mean_dist_neg"), lambda _: False)
    module: RetrievalModule

    def make_data(self) -> TrainingData:
        """Letterboxed pictures with their class, in batches of P classes with K pictures."""
        parameters = self.parameters
        self.sets = self.make_sets()
        self.pk = PKSampler(
            self.sets["train"].labels,
            parameters.p_classes_per_batch,
            parameters.k_examples_per_class,
            parameters.seed,
            self.budget,
            parameters.evaluation_frequency,
        )
        return TrainingData(
            self.sets,
            self.pk,
            collate,
            workers=parameters.num_workers,
            evaluation_batch=parameters.batch_size,
        )

    @property
    @override
    def batch_size(self) -> int:
        return self.pk.batch_size

    @property
    def searched(self) -> SplitName:
        """The split that queries are searched in."""
        return "index" if "index" in self.sets else "train"

    @override
    def recipe(self) -> Recipe:
        """Every replica needs two pictures of each class at least."""
        recipe = super().recipe()
        pairs = max(1, self.parameters.k_examples_per_class // 2)
        if self.devices > pairs:
            raise ParameterError(
                [f"parameter devices: {self.devices} devices, k_examples_per_class has only {pairs} pairs"]
            )
        return recipe._replace(replicas=min(recipe.replicas, pairs))

    def make_module(self) -> RetrievalModule:
        """The compact embedder, searching this dataset's index."""
        parameters = self.parameters
        config = self.network_config(parameters.embedding_dimensions)
        return RetrievalModule(
            CompactEmbedder(config, frozen=parameters.freeze_backbone),
            self.recipe(),
            self.preparation(),
            loss=LOSSES[parameters.loss],
            margin=parameters.margin,
            ks=parameters.evaluation_topk,
            classes=len(self.dataset.classes),
            index=lambda: self._batches(self.searched),
        )

    @override
    def fit(self) -> lightning.Trainer:
        """Measure the untrained network first, as the CV package did."""
        if self.first:
            self._measure_untrained()
        return super().fit()

    def _measure_untrained(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.module.network.eval()
        index = self._write_index("index_untrained.npz")
        if "test" in self.sets:
            queries = self.module.embedded(self._batches("test"))
            found = figures(queries, index, self.module.ks, self.module.classes)
            path = self.folder / "metrics_test_untrained.json"
            path.write_text(json.dumps(dict(found.metrics), indent=2) + "\n", encoding="utf-8")
        self.module.network.train()

    def write_model(self, metrics: Metrics) -> None:
        """Index, weights, ONNX with unit vectors, and the description."""
        self.module.to("cpu")
        network = self.module.network.eval()
        self._write_index("index.npz")
        outputs = {"vectors": "N x dimensions, length 1", "features": FEATURES}
        document = self.document("image-embedding", outputs, network.config, metrics)
        write_folder(network, Deployed(network), self.size, tuple(outputs), document, self.folder)

    def draw(self, metrics: Metrics) -> None:  # noqa: ARG002
        """Curves, and the classes of the nearest pictures."""
        draw_curves(self.reporter.curves, PANELS, self.folder / "curves.png")
        if self.module.figures is not None:
            path = self.folder / "confusion_matrix.png"
            draw_confusion(self.module.figures.confusion, self.dataset.classes, path)

    def _batches(self, split: SplitName) -> Iterator[Batch]:
        pictures: Any = self.sets[split]
        pictures.load()
        return iter(DataLoader(pictures, batch_size=INDEX_BATCH, collate_fn=collate))

    def _write_index(self, name: str) -> Embedded:
        embedded = self.module.embedded(self._batches(self.searched))
        pictures = self.sets[self.searched].pictures
        write_index(embedded, pictures, self.dataset.classes, self.folder / name)
        return embedded
