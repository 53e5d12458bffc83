"""Tables of a report."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report.blocks import figures_table, interval, reject_table


def test_figures_stand_side_by_side_and_what_a_split_lacks_is_a_dash() -> None:
    metrics = {
        "validation": {"mAP/allClasses": 0.5, "mAP/1": 0.4},
        "test": {"mAP/allClasses": 0.6, "F1": 1.0},
    }
    table = figures_table(metrics, "", skip=("mAP/",))
    assert table.head == ("", "validation", "test")
    assert table.rows == [("mAP/allClasses", "0.500", "0.600"), ("F1", "–", "1.000")]


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe 1998, table I: 81 of 263, and 0 of 20."""
    assert interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert interval(0.0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_share_lies_in_its_interval(count: int, share: float) -> None:
    low, high = interval(share, count)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_rejecting_the_unsure_shows_what_is_left() -> None:
    table = reject_table("t", "", np.array([0.2, 0.85, 0.97], np.float32), np.array([0, 1, 1]))
    rows = {row[0]: row[1:3] for row in table.rows}
    assert rows["0.00"] == ("1.000", "0.667")
    assert rows["0.80"] == ("0.667", "1.000")
    assert rows["0.99"] == ("0.000", "–")
