"""Losses on the distances within a batch, all in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

SHARPNESS = 16.0
"""How steeply the circle loss weighs pairs that are far from where they belong."""

TEMPERATURE = 0.1
"""Squared distances of the NCA loss are divided by it."""


class Losses(NamedTuple):
    """Scalars; ``active`` is the share of the triplets (or pairs) that still teach something."""

    total: Tensor
    active: Tensor


def margin_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Losses:
    """Triplet loss over all triplets of a batch, averaged over those that violate the margin.

    Averaging over the others too would let the many easy triplets drown the rest (arXiv 1703.07737).
    """
    distances = pairwise_distances(embeddings)
    same, other = _pairs(labels)
    gaps = distances[:, :, None] - distances[:, None, :] + margin  # anchor, positive, negative
    valid = same[:, :, None] & other[:, None, :]
    active = valid & (gaps > 0)
    total = (gaps * active).sum() / active.sum().clamp(min=1)
    return Losses(total, _share(active, valid))


def nca_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Losses:
    """Neighbourhood components analysis (Goldberger et al. 2004): find one's own class by soft neighbours.

    ``margin`` is added to the squared distances within a class.
    """
    distances = pairwise_distances(embeddings).square()
    same, other = _pairs(labels)
    closeness = -(distances + margin * same) / TEMPERATURE
    closeness = closeness.masked_fill(~(same | other), -torch.inf)
    anchors = same.any(1) & other.any(1)
    positive = torch.logsumexp(closeness.masked_fill(~same, -torch.inf)[anchors], 1)
    everything = torch.logsumexp(closeness[anchors], 1)
    misses = everything - positive
    total = misses.sum() / anchors.sum().clamp(min=1)
    return Losses(total, (misses > 0.1).float().sum() / anchors.sum().clamp(min=1))


def circle_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Losses:
    """Circle loss (arXiv 2002.10857): each pair is weighed by how far it is from its optimum.

    ``margin`` is the relaxation m: cosines within a class aim at 1 - m or more, between classes at m or less.
    """
    cosines = embeddings @ embeddings.T
    same, other = _pairs(labels)
    near = (1 + margin - cosines.detach()).clamp(min=0) * (1 - margin - cosines)
    far = (cosines.detach() + margin).clamp(min=0) * (cosines - margin)
    pull = torch.logsumexp((SHARPNESS * near).masked_fill(~same, -torch.inf), 1)
    push = torch.logsumexp((SHARPNESS * far).masked_fill(~other, -torch.inf), 1)
    anchors = same.any(1) & other.any(1)
    terms = functional.softplus(pull[anchors] + push[anchors])
    total = terms.sum() / anchors.sum().clamp(min=1)
    wrong = (same & (cosines < 1 - margin)) | (other & (cosines > margin))
    return Losses(total, _share(wrong, same | other))


Loss = Callable[[Tensor, Tensor, float], Losses]
LOSSES: Mapping[str, Loss] = {
    "MARGIN_LOSS": margin_loss,
    "NCA_LOSS": nca_loss,
    "CIRCLE_LOSS": circle_loss,
}
"""By the parameter ``loss``."""


def pairwise_distances(embeddings: Tensor) -> Tensor:
    """Euclidean distances of unit vectors (B, D) to each other (B, B); the root stays differentiable at 0."""
    squared = (2 - 2 * embeddings @ embeddings.T).clamp(min=0)
    return (squared + 1e-8).sqrt()


def _pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which pictures are others of the same class, and which of another: two (B, B)."""
    equal = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return equal & ~itself, ~equal


def _share(some: Tensor, of: Tensor) -> Tensor:
    return some.sum() / of.sum().clamp(min=1)
