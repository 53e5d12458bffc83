"""From raw predictions to detections."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.detection.suppression import detect, pairwise_overlap

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50]], dtype=np.float32)
SCORES = np.array([[0.9, 0.0], [0.0, 0.8], [0.3, 0.2]], dtype=np.float32)


def test_one_wheel_shows_one_digit() -> None:
    """Class-agnostic: the weaker of two overlapping boxes goes, though it is of another class."""
    found = detect(BOXES, SCORES, class_agnostic=True)
    assert found.labels.tolist() == [0, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.3])


def test_classes_are_judged_alone_when_not_agnostic() -> None:
    found = detect(BOXES, SCORES, class_agnostic=False, threshold=0.25)
    assert found.labels.tolist() == [0, 1, 0]


def test_threshold_limit_and_nothing_at_all() -> None:
    assert len(detect(BOXES, SCORES, class_agnostic=True, threshold=0.5).scores) == 1
    assert len(detect(BOXES, SCORES, class_agnostic=True, limit=1).scores) == 1
    nothing = detect(BOXES[:0], SCORES[:0], class_agnostic=True)
    assert nothing.boxes.shape == (0, 4)
    assert nothing.above(0.5).labels.shape == (0,)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_no_two_detections_of_a_class_overlap_and_the_best_come_first(
    seed: int, class_agnostic: bool
) -> None:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 40, (30, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 30, (30, 2))], 1).astype(np.float32)
    scores = random.uniform(0, 1, (30, 3)).astype(np.float32)
    found = detect(boxes, scores, class_agnostic=class_agnostic)
    overlap = pairwise_overlap(found.boxes, found.boxes)
    rivals = np.ones_like(overlap, bool) if class_agnostic else found.labels[:, None] == found.labels[None, :]
    np.fill_diagonal(rivals, False)
    assert (overlap[rivals] <= (0.5 if class_agnostic else 0.6) + 1e-6).all()
    assert (np.diff(found.scores) <= 0).all()


def test_what_lies_outside_the_picture_or_is_less_than_a_pixel_is_not_found() -> None:
    """The picture fills x 20 to 60, y 0 to 30; boxes that reach over its edge are cut."""
    boxes = np.array(
        [
            [0, 0, 30, 20],
            [0, 0, 20.5, 20],
            [40, 31, 50, 40],
            [45, 5, 45, 25],
            [np.nan, 0, 40, 20],
            [50, 5, 58, 12],
        ],
        dtype=np.float32,
    )
    scores = np.full((6, 1), 0.9, dtype=np.float32)
    found = detect(boxes, scores, class_agnostic=False, nms_free=True, region=(20, 0, 60, 30))
    assert found.boxes.tolist() == [[20, 0, 30, 20], [50, 5, 58, 12]]


def test_neighbours_that_agree_have_a_say_in_the_sides() -> None:
    """Three points see one object, each a little wrong; a fourth, of something else, is not asked."""
    boxes = np.array([[0, 0, 40, 40], [2, 0, 42, 40], [1, 0, 41, 40], [24, 0, 64, 40]], dtype=np.float32)
    scores = np.array([[0.8], [0.8], [0.8], [0.7]], dtype=np.float32)
    (box, _) = detect(boxes, scores, class_agnostic=True).boxes
    np.testing.assert_allclose(box, [1, 0, 41, 40], atol=0.1)


def test_other_classes_have_no_say_where_classes_are_judged_alone() -> None:
    boxes = np.array([[0, 0, 40, 40], [2, 0, 42, 40]], dtype=np.float32)
    found = detect(boxes, np.eye(2, dtype=np.float32), class_agnostic=False)
    np.testing.assert_allclose(found.boxes, boxes)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_a_higher_threshold_leaves_out_detections_and_changes_none(seed: int, threshold: float) -> None:
    """The evaluation looks at everything, the server at what passes the model's threshold."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 12, (40, 2))
    boxes = np.concatenate([corner, corner + random.uniform(20, 30, (40, 2))], 1).astype(np.float32)
    scores = random.uniform(0, 1, (40, 2)).astype(np.float32)
    every = detect(boxes, scores, class_agnostic=True).above(threshold)
    some = detect(boxes, scores, class_agnostic=True, threshold=threshold)
    np.testing.assert_allclose(some.boxes, every.boxes, rtol=1e-4)
    np.testing.assert_array_equal(some.scores, every.scores)
