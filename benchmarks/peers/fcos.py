"""torchvision's FCOS from random start; ResNet-18 instead of ResNet-50, which no CPU trains in minutes."""

from __future__ import annotations

from torch import nn

from benchmarks.peers.torchvision_detector import run

_SIZE = (320, 128)


def _model(classes: int) -> nn.Module:
    from torchvision.models.detection import FCOS
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    backbone = resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        norm_layer=nn.BatchNorm2d,
        trainable_layers=5,
        returned_layers=[2, 3, 4],
        extra_blocks=None,
    )
    model: nn.Module = FCOS(
        backbone,
        num_classes=classes + 1,
        min_size=min(_SIZE),
        max_size=max(_SIZE),
        score_thresh=0.01,
        anchor_generator=_anchors(),
    )
    return model


def _anchors() -> object:
    """One point a cell on the four levels that the backbone gives; FCOS itself wants one size a level."""
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    sizes = ((8,), (16,), (32,), (64,))
    return AnchorGenerator(sizes, ((1.0,),) * len(sizes))


if __name__ == "__main__":
    run(__doc__, _model, _SIZE, 1e-3)
