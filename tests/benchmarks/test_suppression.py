"""The peers' suppression in plain torch means what torchvision's means."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="pip install 'corespec[train]'")


def test_overlapping_boxes_lose_to_the_better_one() -> None:
    """The best of a pile stays; a box elsewhere is untouched."""
    from benchmarks.peers.suppression import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
    assert nms(boxes, torch.tensor([0.5, 0.9, 0.1]), 0.5).tolist() == [1, 2]


def test_classes_do_not_suppress_each_other() -> None:
    """Two classes at one place are two findings."""
    from benchmarks.peers.suppression import batched_nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    assert sorted(batched_nms(boxes, torch.tensor([0.5, 0.9]), torch.tensor([0, 1]), 0.5).tolist()) == [0, 1]


def test_nothing_found_is_nothing_kept() -> None:
    """An untrained detector often finds nothing."""
    from benchmarks.peers.suppression import batched_nms

    assert batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), 0.5).tolist() == []
