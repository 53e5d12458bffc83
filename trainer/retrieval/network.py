"""The compact embedder: the network for whole pictures, onto the unit sphere."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from trainer.labelled.network import PooledNetwork


class CompactEmbedder(PooledNetwork):
    """Pictures (B, 3, H, W), RGB 0-255 of any float type, to unit vectors (B, outputs) in float32."""

    @override
    def judge(self, features: Tensor) -> Tensor:
        return functional.normalize(super().judge(features))
