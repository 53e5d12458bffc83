"""Pictures of a training stay pictures, whatever there is to draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.training.charts import draw_confusion, draw_curves


@pytest.mark.parametrize(("classes", "largest"), [(1, 600), (10, 900), (1000, 3400)])
def test_a_confusion_matrix_stays_small_enough_to_open(tmp_path: Path, classes: int, largest: int) -> None:
    """A thousand classes at the size of ten would be two thousand million pixels."""
    names = [f"class {number}" for number in range(classes)]
    path = tmp_path / "confusion.png"
    draw_confusion(np.eye(classes, dtype=np.int64), names, path)
    with Image.open(path) as picture:
        assert max(picture.size) <= largest


def test_curves_without_points_and_of_one_point_are_drawn(tmp_path: Path) -> None:
    """A run that ends before its first evaluation has nothing in some panels."""
    panels = (("loss", ("loss",)), ("validation", ("accuracy",)))
    draw_curves({"loss": [(1, 2.0)]}, panels, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > picture.height
