"""Figures of a split, by torchmetrics' definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Metrics by name, the confusion matrix (rows: what is there), and every picture's probabilities.

    ``likelihood`` is the mean logarithm of the probability of the true class: it decides between weights of
    the same accuracy.
    """

    metrics: Mapping[str, float]
    confusion: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    likelihood: float


def figures(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> Figures:
    """Figures of N pictures from logits (N, classes) and class indices (N,).

    Per class there are ``accuracy`` (the share of its pictures that are recognised, which is its recall),
    ``recall``, ``precision`` and ``f1score``; a class that does not occur has none.
    """
    count = len(classes)
    probabilities = logits.softmax(1)
    metrics = {
        "accuracy": multiclass_accuracy(probabilities, labels, count, average="micro").item(),
        "balanced_accuracy": multiclass_recall(probabilities, labels, count, average="macro").item(),
        "f1score": multiclass_f1_score(probabilities, labels, count, average="macro").item(),
        "calibration_error": multiclass_calibration_error(probabilities, labels, count).item(),
    }
    present = set(labels.tolist())
    for name, function in (
        ("accuracy", multiclass_accuracy),
        ("recall", multiclass_recall),
        ("precision", multiclass_precision),
        ("f1score", multiclass_f1_score),
    ):
        values = function(probabilities, labels, count, average="none")
        metrics |= {
            f"{name}:{label}": values[index].item() for index, label in enumerate(classes) if index in present
        }
    likelihood = -torch.nn.functional.cross_entropy(logits, labels).item()
    confusion = multiclass_confusion_matrix(probabilities, labels, count)
    return Figures(metrics, confusion.cpu().numpy(), probabilities.cpu().numpy(), likelihood)
