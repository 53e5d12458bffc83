"""What a report says of a classifier or an embedder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from trainer.detection.outcomes import Judged, calibration
from trainer.inference.card import Card
from trainer.report.blocks import Block, Chart, Gallery, Table, figures_table, reject_table, shown
from trainer.report.charts import picture_uri, reliability_chart
from trainer.report.evidence import ClassifiedPicture

_OF_CLASS = ("accuracy:", "recall:", "precision:", "f1score:")
_UNTRAINED = "metrics_test_untrained.json"


def classification_blocks(
    card: Card, metrics: Mapping[str, Mapping[str, float]], pictures: Sequence[ClassifiedPicture]
) -> Iterator[Block]:
    """Everything between the head and the model card."""
    yield figures_table(metrics, "By torchmetrics' definitions.", skip=_OF_CLASS)
    last = list(metrics.values())[-1] if metrics else {}
    labels = np.array([picture.label for picture in pictures], dtype=np.int64)
    rows = [
        (
            name,
            str(int((labels == index).sum())),
            *(shown(last.get(f"{prefix}{name}")) for prefix in _OF_CLASS[1:]),
        )
        for index, name in enumerate(card.classes)
    ]
    yield Table(
        "Classes",
        "recall is also called the accuracy of a class.",
        ("class", "pictures", "recall", "precision", "F1"),
        rows,
    )
    if not pictures:
        return
    probabilities = np.array([picture.probabilities for picture in pictures], dtype=np.float32)
    said = probabilities.argmax(axis=1)
    sure, right = probabilities.max(axis=1), (said == labels).astype(np.int64)
    judged = Judged(sure, said, right, len(labels))
    yield Chart(
        "Calibration",
        "How often the most probable class is the true one; on the line it can be taken at its word.",
        reliability_chart(calibration(judged), "share of right answers"),
    )
    note = "What leaving the unsure pictures to people would bring (Wilson, 95 %)."
    yield reject_table("The reject option", note, sure, right)
    yield from _samples(card)


def _samples(card: Card) -> Iterator[Gallery]:
    paths = sorted((card.folder / "samples").glob("*.png"))
    if paths:
        images = [(picture_uri(path), path.stem) for path in paths]
        yield Gallery(
            "Worst pictures", "Those whose true class got the least probability; green is right.", images
        )


def embedding_blocks(card: Card, metrics: Mapping[str, Mapping[str, float]]) -> Iterator[Block]:
    """Everything between the head and the model card."""
    try:
        untrained = json.loads((card.folder / _UNTRAINED).read_text(encoding="utf-8"))
        columns = {
            "test, untrained": {str(name): float(value) for name, value in untrained.items()},
            **metrics,
        }
    except (OSError, ValueError, TypeError, AttributeError):
        columns = dict(metrics)  # without a test split there are no figures from before the training
    note = "top_<k>_acc: the vote of the k nearest; rank_rate_<k>: one of the own class among the k nearest."
    yield figures_table(columns, note)
