"""Fitting pictures into the input and boxes back out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.inference.letterbox import PADDING, Letterbox

sides = st.integers(1, 3000)


@given(sides, sides, st.floats(0, 0.9), st.floats(0, 0.9))
def test_boxes_come_back_to_where_they_were(width: int, height: int, x: float, y: float) -> None:
    letterbox = Letterbox.fit((width, height), (320, 128))
    box = np.array([[x * width, y * height, width, height]], dtype=np.float32)
    again = letterbox.to_picture(letterbox.to_input(box), (width, height))
    np.testing.assert_allclose(again, box, atol=max(width, height) * 2e-3)


@given(sides, sides)
def test_the_picture_lies_inside_the_canvas(width: int, height: int) -> None:
    letterbox = Letterbox.fit((width, height), (320, 128))
    assert 0 <= letterbox.left <= letterbox.left + letterbox.width <= 320
    assert 0 <= letterbox.top <= letterbox.top + letterbox.height <= 128


def test_a_wide_picture_gets_grey_bars_above_and_below() -> None:
    board = Letterbox.fit((100, 20), (64, 64)).draw(Image.new("L", (100, 20), 255), (64, 64))
    assert board.shape == (64, 64, 3)
    assert (board[0] == PADDING).all()
    assert (board[32] == 255).all()
