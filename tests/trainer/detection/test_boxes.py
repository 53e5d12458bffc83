"""Box arithmetic: encoding is invertible, overlaps are what geometry says."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainer.detection.boxes import (
    decode_boxes,
    encode_boxes,
    expected_distances,
    generalized_iou,
    pairwise_iou,
)
from trainer.detection.network import prediction_points
from trainer.detection.suppression import pairwise_overlap

coordinates = st.floats(0, 200, width=32)
sizes = st.floats(1, 100, width=32)


@st.composite
def boxes(draw: st.DrawFn, most: int = 6) -> Tensor:
    rows = draw(st.lists(st.tuples(coordinates, coordinates, sizes, sizes), min_size=1, max_size=most))
    return torch.tensor([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=torch.float32)


@given(boxes())
def test_decoding_undoes_encoding_for_any_box_and_point(box: Tensor) -> None:
    points, strides = prediction_points(64, 96, torch.device("cpu"))
    repeated = box[:, None].expand(-1, len(points), -1)
    again = decode_boxes(encode_boxes(repeated, points, strides), points, strides)
    torch.testing.assert_close(again, repeated, atol=1e-3, rtol=1e-4)


@given(boxes(), boxes())
def test_overlap_is_symmetric_within_bounds_and_the_same_in_torch_and_numpy(a: Tensor, b: Tensor) -> None:
    overlap = pairwise_iou(a, b)
    assert bool(((overlap >= 0) & (overlap <= 1 + 1e-6)).all())
    torch.testing.assert_close(overlap, pairwise_iou(b, a).T)
    np.testing.assert_allclose(overlap.numpy(), pairwise_overlap(a.numpy(), b.numpy()), atol=1e-5)


@given(boxes())
def test_a_box_overlaps_itself_entirely(box: Tensor) -> None:
    torch.testing.assert_close(pairwise_iou(box, box).diagonal(), torch.ones(len(box)), atol=1e-4, rtol=0)
    torch.testing.assert_close(generalized_iou(box, box), torch.ones(len(box)), atol=1e-4, rtol=0)


@settings(max_examples=50)
@given(boxes(most=1), boxes(most=1))
def test_generalized_iou_never_exceeds_iou(a: Tensor, b: Tensor) -> None:
    generalized = generalized_iou(a, b)
    assert bool((generalized <= pairwise_iou(a, b).diagonal() + 1e-5).all())
    assert bool((generalized >= -1 - 1e-5).all())


def test_half_overlap_by_hand() -> None:
    a, b = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[5.0, 0, 15, 10]])
    assert pairwise_iou(a, b).item() == torch.tensor(50 / 150).item()


def test_a_sharp_distribution_means_its_bin() -> None:
    logits = torch.full((1, 4, 12), -50.0)
    logits[0, :, 7] = 50.0
    torch.testing.assert_close(expected_distances(logits), torch.full((1, 4), 7.0))


def test_points_are_the_centres_of_the_cells_of_every_stride() -> None:
    points, strides = prediction_points(32, 64, torch.device("cpu"))
    assert len(points) == 4 * 8 + 2 * 4 + 1 * 2
    assert points[0].tolist() == [4.0, 4.0]
    assert points[-1].tolist() == [48.0, 16.0]
    assert strides.unique().tolist() == [8.0, 16.0, 32.0]
