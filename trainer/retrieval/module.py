"""The Lightning module of the embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from trainer.labelled.pictures import Batch
from trainer.labelled.preparation import Preparation
from trainer.retrieval.evaluation import Embedded, Figures, figures
from trainer.retrieval.losses import Loss, Losses
from trainer.retrieval.network import CompactEmbedder
from trainer.training import processes
from trainer.training.augment import ordered
from trainer.training.module import Recipe, TrainedModule

SELECTION = "selection"
"""``top_1_acc``, and between equals the gap between the distances: what chooses the weights."""


class RetrievalModule(TrainedModule[CompactEmbedder]):
    """Trains ``CompactEmbedder``; ``figures`` holds the latest evaluation.

    ``index`` gives the batches of the pictures that are searched, anew for every evaluation.
    """

    figures: Figures | None

    def __init__(
        self,
        network: CompactEmbedder,
        recipe: Recipe,
        preparation: Preparation,
        *,
        loss: Loss,
        margin: float,
        ks: Sequence[int],
        classes: int,
        index: Callable[[], Iterable[Batch]],
    ) -> None:
        super().__init__(network, recipe)
        self.preparation = preparation
        self.loss = loss
        self.margin = margin
        self.ks = tuple(ks)
        self.classes = classes
        self.index = index
        self.figures = None
        self._queries: list[tuple[int, tuple[Tensor, Tensor]]] = []

    def losses(self, network: CompactEmbedder, batch: Batch, part: int) -> Losses:
        """Change the pictures and compare them with each other."""
        pictures = self.preparation.for_training(batch.pictures, self.global_step, part)
        return self.loss(network(pictures), batch.labels, self.margin)

    def embedded(self, batches: Iterable[Batch]) -> Embedded:
        """The vectors of all pictures of ``batches``."""
        return _joined([self._vectors(batch) for batch in batches])

    def _vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            pictures = ordered(batch.pictures.to(self.device).float())
            return self.network(pictures).float().cpu(), batch.labels.cpu()

    def on_validation_epoch_start(self) -> None:
        self._queries = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        self._queries += zip(batch.indices, zip(*self._vectors(batch), strict=True), strict=True)

    def on_validation_epoch_end(self) -> None:
        vectors, labels = (torch.stack(parts) for parts in zip(*processes.gather(self._queries), strict=True))
        queries = Embedded(vectors, labels)
        found = figures(queries, self.embedded(self.index()), self.ks, self.classes)
        self.figures = found
        top = found.metrics["top_1_acc"]
        gap = found.metrics.get("mean_dist_neg", 0.0) - found.metrics.get("mean_dist_pos", 0.0)
        self.log_dict({"top_1_acc": top, SELECTION: top + 1e-4 * gap})

    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()


def _joined(parts: Sequence[tuple[Tensor, Tensor]]) -> Embedded:
    vectors, labels = (torch.cat(values) for values in zip(*parts, strict=True))
    return Embedded(vectors, labels)
