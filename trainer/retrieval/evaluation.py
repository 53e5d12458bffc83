"""Figures of a search: queries against an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

CHUNK = 256
"""Queries whose distances to the whole index are in memory at once."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Metrics by name, and the nearest picture's class against the query's own (rows: what is there)."""

    metrics: Mapping[str, float]
    confusion: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Embedded:
    """N unit vectors (N, D) with their class indices (N,)."""

    vectors: Tensor
    labels: Tensor


def figures(queries: Embedded, index: Embedded, ks: Sequence[int], classes: int) -> Figures:
    """Search every query in the index; no query is in it.

    ``top_<k>_acc``: share of the queries whose class the k nearest pictures vote for, the nearest deciding
    between equals. ``rank_rate_<k>``: share with a picture of the own class among the k nearest.
    ``mean_dist_pos`` and ``mean_dist_neg``: mean Euclidean distance to the index's pictures of the own class
    and of all others; left out where there are none.
    """
    ks = sorted({1, *ks})
    depth = min(ks[-1], len(index.labels))
    found = torch.empty((len(queries.labels), depth), dtype=torch.int64)
    sums = torch.zeros(2, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.float64)
    for first in range(0, len(queries.labels), CHUNK):
        rows = slice(first, first + CHUNK)
        distances = torch.cdist(queries.vectors[rows], index.vectors)
        found[rows] = index.labels[distances.topk(depth, largest=False).indices]
        same = queries.labels[rows, None] == index.labels[None, :]
        for place, pairs in enumerate((same, ~same)):
            sums[place] += distances[pairs].double().sum()
            counts[place] += pairs.sum()
    metrics = _rates(found, queries.labels, ks, classes)
    for place, name in enumerate(("mean_dist_pos", "mean_dist_neg")):
        if counts[place] > 0:
            metrics[name] = (sums[place] / counts[place]).item()
    confusion = torch.zeros((classes, classes), dtype=torch.int64)
    confusion.index_put_((queries.labels, found[:, 0]), torch.ones(len(found), dtype=torch.int64), True)
    return Figures(metrics, confusion.numpy())


def _rates(found: Tensor, labels: Tensor, ks: Sequence[int], classes: int) -> dict[str, float]:
    """Rates from the classes (Q, depth) of the nearest pictures, nearest first."""
    rates = {}
    hits = found == labels[:, None]
    for k in ks:
        near = found[:, :k]
        # A vote weighs 1; the nearest weighs so little more that it decides between equals only.
        weights = torch.ones(near.shape[1])
        weights[0] += 0.5
        votes = torch.zeros((len(labels), classes)).scatter_add_(1, near, weights.expand(len(labels), -1))
        rates[f"top_{k}_acc"] = (votes.argmax(1) == labels).float().mean().item()
        rates[f"rank_rate_{k}"] = hits[:, :k].any(1).float().mean().item()
    return rates
