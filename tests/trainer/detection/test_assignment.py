"""Task-aligned assignment: which point learns which object."""

from __future__ import annotations

import torch
from torch import Tensor

from trainer.detection.assignment import Assignment, Truth, assign
from trainer.detection.network import prediction_points

POINTS, STRIDES = prediction_points(64, 64, torch.device("cpu"))


def truth(*objects: tuple[float, float, float, float, int], padding: int = 0) -> Truth:
    boxes = torch.zeros(1, len(objects) + padding, 4)
    labels = torch.zeros(1, len(objects) + padding, dtype=torch.int64)
    valid = torch.zeros(1, len(objects) + padding, dtype=torch.bool)
    for row, (x1, y1, x2, y2, label) in enumerate(objects):
        boxes[0, row] = torch.tensor([x1, y1, x2, y2])
        labels[0, row], valid[0, row] = label, True
    return Truth(boxes, labels, valid)


def assigned(objects: Truth, boxes: Tensor | None = None, scores: Tensor | None = None) -> Assignment:
    """Predictions default to 16 pixel squares around every point, all classes at 0.5."""
    squares = torch.cat((POINTS - 8, POINTS + 8), 1)[None] if boxes is None else boxes
    even = torch.full((1, len(POINTS), 3), 0.5) if scores is None else scores
    return assign(even, squares, POINTS, objects)


def test_foreground_points_lie_inside_their_object() -> None:
    result = assigned(truth((4, 4, 40, 40, 1)))
    points = POINTS[result.foreground[0]]
    assert 1 <= len(points) <= 10
    assert bool(((points > 4) & (points < 40)).all())


def test_an_object_smaller_than_a_cell_still_gets_the_nearest_point() -> None:
    result = assigned(truth((10.0, 10.0, 11.5, 11.5, 2)))
    assert result.foreground.sum() == 1
    assert POINTS[result.foreground[0]][0].tolist() == [12.0, 12.0]


def test_a_point_inside_two_objects_learns_the_one_it_overlaps_more() -> None:
    objects = truth((0, 0, 64, 64, 0), (16, 16, 32, 32, 1))
    result = assigned(objects)
    inner = (torch.tensor([24.0, 24.0]) == POINTS).all(1) | (torch.tensor([20.0, 20.0]) == POINTS).all(1)
    assert bool((result.objects[0][inner & result.foreground[0]] == 1).all())


def test_padding_is_never_assigned() -> None:
    without, padded = assigned(truth((4, 4, 40, 40, 1))), assigned(truth((4, 4, 40, 40, 1), padding=3))
    assert torch.equal(without.foreground, padded.foreground)
    assert torch.equal(without.quality, padded.quality)


def test_quality_sits_on_the_objects_class_and_peaks_at_the_best_overlap() -> None:
    result = assigned(truth((8, 8, 24, 24, 2)))
    assert result.quality[..., :2].sum() == 0
    # The point (16, 16) of stride 32 predicts exactly this square, so the best overlap is 1.
    assert abs(result.quality.max().item() - 1) < 1e-5


def test_a_confident_point_is_preferred_to_an_unsure_one_at_the_same_overlap() -> None:
    objects = truth((0, 0, 64, 64, 0))
    scores = torch.full((1, len(POINTS), 3), 0.01)
    favoured = torch.nonzero((torch.tensor([20.0, 20.0]) == POINTS).all(1))[0, 0]
    scores[0, favoured, 0] = 0.9
    whole = torch.tensor([0.0, 0, 64, 64]).expand(1, len(POINTS), 4)
    result = assigned(objects, boxes=whole, scores=scores)
    assert bool(result.foreground[0, favoured])
    assert result.quality[0, :, 0].argmax() == favoured


def test_no_objects_means_all_background() -> None:
    result = assigned(
        Truth(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0).bool())
    )
    assert not result.foreground.any()
    assert result.quality.sum() == 0
