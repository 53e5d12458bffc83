"""Which larger detectors there are, and how each is built. Nothing heavy is imported.

The sizes are those of the published models: D-FINE (arXiv 2410.13842) and RT-DETRv2 (arXiv 2407.17140),
code and weights Apache-2.0. Both find objects without suppression: they learn to name each object once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Family = Literal["d_fine", "rt_detr_v2"]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One detector: its family, where its weights are published, how it differs from the library's defaults.

    ``backbone`` and ``detector`` are arguments of the library's configurations.
    """

    family: Family
    published: str
    backbone: Mapping[str, Any]
    detector: Mapping[str, Any] = field(default_factory=dict)


def _hgnet(
    stem: tuple[int, int], first: int, middle: int, outputs: tuple[int, ...], third: int, layers: int,
    **how: Any,
) -> dict[str, Any]:  # fmt: skip
    """An HGNetV2 backbone; ``third`` are the blocks of its third stage."""
    return {
        "stem_channels": [3, *stem],
        "embedding_size": stem[1],
        "stage_in_channels": [first, *outputs[:3]],
        "stage_mid_channels": [middle * 2**stage for stage in range(4)],
        "stage_out_channels": list(outputs),
        "hidden_sizes": list(outputs),
        "stage_num_blocks": [1, 1, third, 1],
        "stage_numb_of_layers": [layers] * 4,
        "stage_light_block": [False, False, True, True],
        "stage_kernel_size": [3, 3, 5, 5],
        "stage_downsample": [False, True, True, True],
        "use_learnable_affine_block": layers < 6,
        "out_features": ["stage2", "stage3", "stage4"],
        **how,
    }


def _small_hgnet(**how: Any) -> dict[str, Any]:
    return _hgnet((16, 16), 16, 16, (64, 256, 512, 1024), 2, 3, **how)


_WIDE = (128, 512, 1024, 2048)
_POINTS = {"decoder_n_points": [3, 6, 3]}
_HEAVY = {"encoder_hidden_dim": 384, "encoder_ffn_dim": 2048, "decoder_in_channels": [384] * 3}


def _resnet(depths: tuple[int, ...], *, basic: bool) -> dict[str, Any]:
    """A ResNet-D backbone."""
    narrow = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]} if basic else {}
    return {"depths": list(depths), "out_features": ["stage2", "stage3", "stage4"], **narrow}


def _shallow(layers: int) -> dict[str, Any]:
    return {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": layers}


BLUEPRINTS: Mapping[str, Blueprint] = {
    "d-fine-n": Blueprint(
        "d_fine",
        "ustc-community/dfine-nano-coco",
        _small_hgnet(out_features=["stage3", "stage4"]),
        {
            "encoder_hidden_dim": 128,
            "encoder_in_channels": [512, 1024],
            "encoder_ffn_dim": 512,
            "encode_proj_layers": [1],
            "d_model": 128,
            "decoder_layers": 3,
            "decoder_n_points": [6, 6],
            "decoder_in_channels": [128, 128],
            "decoder_ffn_dim": 512,
            "feat_strides": [16, 32],
            "num_feature_levels": 2,
            "hidden_expansion": 0.34,
            "depth_mult": 0.5,
        },
    ),
    "d-fine-s": Blueprint(
        "d_fine",
        "ustc-community/dfine-small-coco",
        _small_hgnet(),
        {
            **_POINTS,
            "encoder_in_channels": [256, 512, 1024],
            "decoder_layers": 3,
            "hidden_expansion": 0.5,
            "depth_mult": 0.34,
        },
    ),
    "d-fine-m": Blueprint(
        "d_fine",
        "ustc-community/dfine-medium-coco",
        _hgnet((24, 32), 32, 32, (96, 384, 768, 1536), 3, 4),
        {**_POINTS, "encoder_in_channels": [384, 768, 1536], "decoder_layers": 4, "depth_mult": 0.67},
    ),
    "d-fine-l": Blueprint(
        "d_fine", "ustc-community/dfine-large-coco", _hgnet((32, 48), 48, 48, _WIDE, 3, 6), _POINTS
    ),
    "d-fine-x": Blueprint(
        "d_fine",
        "ustc-community/dfine-xlarge-coco",
        _hgnet((32, 64), 64, 64, _WIDE, 5, 6, stage_num_blocks=[1, 2, 5, 2]),
        {**_POINTS, **_HEAVY},
    ),
    "rt-detr-v2-s": Blueprint(
        "rt_detr_v2", "PekingU/rtdetr_v2_r18vd", _resnet((2, 2, 2, 2), basic=True), _shallow(3)
    ),
    "rt-detr-v2-m": Blueprint(
        "rt_detr_v2", "PekingU/rtdetr_v2_r34vd", _resnet((3, 4, 6, 3), basic=True), _shallow(4)
    ),
    "rt-detr-v2-l": Blueprint("rt_detr_v2", "PekingU/rtdetr_v2_r50vd", _resnet((3, 4, 6, 3), basic=False)),
    "rt-detr-v2-x": Blueprint(
        "rt_detr_v2", "PekingU/rtdetr_v2_r101vd", _resnet((3, 4, 23, 3), basic=False), _HEAVY
    ),
}
