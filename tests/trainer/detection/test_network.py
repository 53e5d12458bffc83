"""The network's shape, size and independence of its batch."""

from __future__ import annotations

import torch

from trainer.detection.module import decode
from trainer.detection.network import CompactDetector, NetworkConfig


def test_it_is_compact_and_predicts_for_every_point() -> None:
    network = CompactDetector(NetworkConfig(10))
    assert sum(parameter.numel() for parameter in network.parameters()) < 3_000_000
    predictions = network(torch.zeros(2, 3, 64, 96))
    points = 8 * 12 + 4 * 6 + 2 * 3
    assert predictions.logits.shape == (2, points, 10)
    assert predictions.distributions.shape == (2, points, 4, 12)
    assert predictions.points.shape == (points, 2)


def test_hardly_anything_is_an_object_at_the_start() -> None:
    torch.manual_seed(0)
    boxes, scores = decode(CompactDetector(NetworkConfig(3)).eval()(torch.full((1, 3, 64, 64), 114.0)))
    assert scores.mean() < 0.05
    assert bool((boxes[..., 2:] > boxes[..., :2]).all())


def test_a_picture_is_judged_alone_when_evaluating() -> None:
    torch.manual_seed(0)
    network = CompactDetector(NetworkConfig(3)).eval()
    pictures = torch.rand(3, 3, 64, 64) * 255
    together, alone = decode(network(pictures)), decode(network(pictures[1:2]))
    torch.testing.assert_close(together[0][1:2], alone[0], atol=1e-3, rtol=1e-4)


def test_the_description_rebuilds_the_network() -> None:
    config = NetworkConfig(5, widths=(16, 24, 32, 48), depths=(1, 1, 1, 1))
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.as_dict().items()}
    assert NetworkConfig(**values) == config
