"""Charts: every point inside the frame, bounds that do not lie, a summary for those who cannot see them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.charts import MARKED_POINTS, STYLES, Series, line_chart

numbers = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
points = st.lists(st.tuples(st.integers(0, 10**6).map(float), numbers), max_size=30).map(tuple)
COORDINATE = re.compile(r"(-?\d+\.\d+),(-?\d+\.\d+)")


@given(st.lists(points, max_size=4))
def test_every_point_lies_inside_the_frame(lines: list[tuple[tuple[float, float], ...]]) -> None:
    """No line leaves the axes, whatever was measured."""
    chart = line_chart("loss", [Series(f"run {index}", one) for index, one in enumerate(lines)])
    for line in chart.lines:
        for x, y in COORDINATE.findall(line.path):
            assert chart.left - 0.01 <= float(x) <= chart.right + 0.01
            assert chart.top - 0.01 <= float(y) <= chart.bottom + 0.01


@given(points)
def test_a_path_has_one_node_for_each_point(one: tuple[tuple[float, float], ...]) -> None:
    """Nothing measured is thinned out of the drawing."""
    chart = line_chart("loss", [Series("train", one)])
    assert sum(len(COORDINATE.findall(line.path)) for line in chart.lines) == len(one)


def test_values_that_are_not_finite_are_left_out() -> None:
    """A NaN loss leaves a chart of the rest, not a broken picture."""
    chart = line_chart(
        "loss", [Series("train", ((0.0, 1.0), (1.0, float("nan")), (2.0, 1.7e308), (3.0, 0.5)))]
    )
    assert [marker.text for marker in chart.lines[0].markers] == [
        "train: 1 at step 0",
        "train: 0.5 at step 3",
    ]


def test_a_series_without_values_is_not_drawn() -> None:
    """A legend never names a line that is not there."""
    assert line_chart("loss", [Series("train", ())]).lines == ()


def test_bounds_hold_while_values_stay_inside() -> None:
    """mAP is drawn against 0..1, so that 0.2 does not look like success."""
    chart = line_chart("mAP/allClasses", [Series("validation", ((0.0, 0.1), (9.0, 0.2)))], bounds=(0.0, 1.0))
    assert (chart.y_ticks[0].text, chart.y_ticks[-1].text) == ("0", "1")


def test_a_single_value_is_drawn_against_the_same_bounds() -> None:
    """One test figure stands on the same axis as a whole curve would."""
    chart = line_chart("reading_accuracy", [Series("test", ((600.0, 0.9),))], bounds=(0.0, 1.0))
    assert (chart.y_ticks[-1].text, chart.x_ticks[0].text, chart.x_ticks[-1].text) == ("1", "0", "600")


def test_bounds_give_way_to_values_outside() -> None:
    """A value outside the expected interval is shown, not cut off."""
    chart = line_chart("mAP/7", [Series("validation", ((0.0, -100.0), (9.0, 0.2)))], bounds=(0.0, 1.0))
    assert float(chart.y_ticks[0].text) <= -100


def test_points_are_drawn_in_order_of_steps() -> None:
    """A metric that arrived late does not send the line backwards."""
    chart = line_chart("loss", [Series("train", ((5.0, 1.0), (1.0, 3.0)))])
    xs = [float(x) for x, _ in COORDINATE.findall(chart.lines[0].path)]
    assert xs == sorted(xs)


@pytest.mark.parametrize(("count", "marked"), [(MARKED_POINTS, True), (MARKED_POINTS + 1, False)])
def test_long_series_have_no_markers(count: int, marked: bool) -> None:
    """A thousand losses are a line, not a smear of dots."""
    chart = line_chart("loss", [Series("train", tuple((float(i), 1.0) for i in range(count)))])
    assert bool(chart.lines[0].markers) is marked


def test_styles_begin_again_after_the_last() -> None:
    """Every line has a style that the sheet defines."""
    chart = line_chart("loss", [Series(str(i), ((0.0, 1.0),)) for i in range(STYLES + 2)])
    assert {line.style for line in chart.lines} == set(range(STYLES))


def test_the_summary_says_what_the_picture_shows() -> None:
    """A screen reader hears where each line begins and ends."""
    chart = line_chart("mAP/allClasses", [Series("validation", ((30.0, 0.4), (300.0, 0.95)))])
    assert chart.summary == "mAP/allClasses by step: validation goes from 0.4 at step 30 to 0.95 at step 300"
