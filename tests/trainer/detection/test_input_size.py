"""The input size follows the shape of the pictures and the size of the objects on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.records import Box, Picture
from trainer.detection.input_size import CPU_PIXELS, choose_input_size


def picture(width: int, height: int, side: float) -> Picture:
    """One picture with one square object whose side is a share of the picture's height."""
    edge = side * height
    return Picture(Path("p.png"), "p", width, height, (Box(0, 0, edge, edge, "a"),))


def test_the_shape_is_the_usual_shape_of_the_pictures() -> None:
    pictures = [picture(600, 200, 0.2), picture(620, 200, 0.2), picture(100, 900, 0.2)]
    width, height = choose_input_size(pictures)
    assert 2 < width / height < 4


def test_small_objects_want_a_larger_input_than_large_ones() -> None:
    small = choose_input_size([picture(2000, 1500, 0.14)])
    large = choose_input_size([picture(2000, 1500, 0.5)])
    assert small[0] > large[0]


def test_pictures_are_enlarged_by_a_quarter_at_most_and_for_small_objects_only() -> None:
    assert choose_input_size([picture(128, 96, 0.02)]) == (160, 128)
    assert choose_input_size([picture(128, 96, 0.25)]) == (128, 96)


def test_given_sides_are_kept_and_the_other_follows_the_shape() -> None:
    pictures = [picture(640, 320, 0.1)]
    assert choose_input_size(pictures, 300, 100) == (288, 96)
    assert choose_input_size(pictures, width=256) == (256, 128)
    assert choose_input_size(pictures, height=64) == (128, 64)


@given(st.integers(32, 8000), st.integers(32, 8000), st.floats(0.001, 1))
def test_sides_are_multiples_of_32_and_two_cores_can_train(width: int, height: int, side: float) -> None:
    chosen = choose_input_size([picture(width, height, side)])
    assert all(edge % 32 == 0 and edge >= 64 for edge in chosen)
    if 0.2 < width / height < 5:
        assert chosen[0] * chosen[1] <= CPU_PIXELS * 1.25


@pytest.mark.parametrize("boxes", [(), (Box(0, 0, 10, 10, "a"),)])
def test_pictures_without_objects_do_not_decide(boxes: tuple[Box, ...]) -> None:
    bare = Picture(Path("p.png"), "p", 320, 240, boxes)
    width, height = choose_input_size([bare])
    assert (width % 32, height % 32) == (0, 0)
