"""torchvision's ssdlite320_mobilenet_v3_large from random start, at its fixed 320x320."""

from __future__ import annotations

from torch import nn

from benchmarks.peers.torchvision_detector import run


def _model(classes: int) -> nn.Module:
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    model: nn.Module = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=classes + 1, score_thresh=0.01
    )
    return model


if __name__ == "__main__":
    run(__doc__, _model, (320, 320), 2e-3)
