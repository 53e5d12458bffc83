"""Axes hold for every finite input: ticks enclose the data, positions stay inside the picture."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console import scale

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


@given(finite, finite, st.integers(1, 12))
def test_ticks_enclose_the_interval_and_grow(low: float, high: float, wanted: int) -> None:
    """The first tick lies at or below the data, the last at or above, each is larger than the one before."""
    assume(low < high)
    found = scale.ticks(low, high, wanted)
    slack = 1e-9 * max(abs(low), abs(high), high - low)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert all(a < b for a, b in pairwise(found))


@given(finite, finite, st.integers(1, 12))
def test_the_number_of_ticks_stays_near_what_was_asked(low: float, high: float, wanted: int) -> None:
    """An axis never fills with ticks: at most two more than wanted, whatever the interval."""
    assume(low < high)
    assert 2 <= len(scale.ticks(low, high, wanted)) <= wanted + 2


@given(st.lists(st.floats(), max_size=20))
def test_extent_is_a_real_interval_for_any_floats(values: list[float]) -> None:
    """Not even infinities and NaN make an axis without length or without end."""
    low, high = scale.extent(values)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high


@given(finite, finite, st.floats(0, 1))
def test_a_value_inside_the_domain_lands_inside_the_picture(low: float, high: float, share: float) -> None:
    """The map is monotone and never leaves its range."""
    assume(high - low > 1e-6)
    value = min(max(low + share * (high - low), low), high)
    assert 40 - 1e-6 <= scale.Linear(low, high, 40, 600)(value) <= 600 + 1e-6


@pytest.mark.parametrize(("low", "high"), [(0.0, 5e-324), (-1e308, 1e308), (1.0, 1.0), (1e17, 1e17 + 16)])
def test_intervals_that_floats_cannot_divide_have_two_ticks(low: float, high: float) -> None:
    """Too small, too large or empty: the ends are the ticks, and nothing divides by zero."""
    assert scale.ticks(low, high) == (low, high)


def test_an_empty_domain_maps_to_the_middle() -> None:
    """A single value has a place, and no division by zero happens."""
    assert scale.Linear(3, 3, 0, 100)(3) == 50


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (0.1 + 0.2, "0.3"),
        (1500, "1.5k"),
        (2_000_000, "2M"),
        (0.00025, "0.00025"),
        (1e12, "1e+12"),
    ],
)
def test_labels_are_short_and_free_of_float_noise(value: float, text: str) -> None:
    """A tick shows what a person would write."""
    assert scale.label(value) == text
