"""``evaluation.json``: what a report shows and ``model.json`` does not hold, so that it can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.detection.outcomes import Outcome
from trainer.detection.suppression import Detections
from trainer.inference.card import ModelError

FILE = "evaluation.json"
FORMAT_VERSION = 1

Curves = Mapping[str, Sequence[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class DetectedPicture:
    """One picture of the split; boxes are x1, y1, x2, y2 in its pixels, labels are class indices."""

    name: str
    boxes: Sequence[Sequence[float]]
    labels: Sequence[int]
    found_boxes: Sequence[Sequence[float]]
    found_labels: Sequence[int]
    scores: Sequence[float]

    def outcome(self, index: int) -> Outcome:
        """The picture as the evaluation judges it."""
        found = Detections(
            np.array(self.found_boxes, dtype=np.float32).reshape(-1, 4),
            np.array(self.scores, dtype=np.float32),
            np.array(self.found_labels, dtype=np.int64),
        )
        boxes = np.array(self.boxes, dtype=np.float32).reshape(-1, 4)
        return Outcome(index, found, boxes, np.array(self.labels, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class ClassifiedPicture:
    """One picture of the split: the index of its class, and the probability of every class."""

    name: str
    label: int
    probabilities: Sequence[float]


Pictures = Sequence[DetectedPicture] | Sequence[ClassifiedPicture]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The curves of a training (name to points (step, value)), and what the model says of every picture of
    ``split``; no pictures where the task has nothing to say of a single one.
    """

    split: str
    curves: Curves
    pictures: Pictures = ()


def write_evidence(evidence: Evidence, folder: Path) -> None:
    """Write the file into a model folder."""
    document = {
        "format_version": FORMAT_VERSION,
        "split": evidence.split,
        "curves": {name: list(points) for name, points in evidence.curves.items()},
        "pictures": [asdict(picture) for picture in evidence.pictures],
    }
    (folder / FILE).write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")


def read_evidence(folder: Path, task: str) -> Evidence:
    """What ``write_evidence`` wrote; raises ``ModelError`` for anything else."""
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format_version"] != FORMAT_VERSION:
            raise ModelError(f"{path} has format_version {document['format_version']}, not {FORMAT_VERSION}")
        return _evidence(document, task)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}): a report needs the figures of every picture; train again"
        ) from error


def _evidence(document: Mapping[str, Any], task: str) -> Evidence:
    curves = {
        str(name): [(int(step), float(value)) for step, value in points]
        for name, points in document["curves"].items()
    }
    kind: type[Any] = DetectedPicture if task == "object-detection" else ClassifiedPicture
    return Evidence(str(document["split"]), curves, [kind(**picture) for picture in document["pictures"]])
