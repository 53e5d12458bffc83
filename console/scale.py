"""Axes: where ticks go and where a value lands. Pure arithmetic, no drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 1e300  # beyond this, differences and margins would overflow
_NICE_FACTORS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map from data units (`low`..`high`) to picture units (`start`..`end`)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Picture coordinate of `value`; an empty domain maps to the middle."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def drawable(value: float) -> bool:
    """Whether a value has a place in a picture: NaN, infinities and absurdly large values have none."""
    return abs(value) <= LARGEST


def extent(values: Iterable[float]) -> tuple[float, float]:
    """Smallest and largest drawable value; (0, 1) where there is none, widened where all are equal."""
    shown = [value for value in values if drawable(value)]
    if not shown:
        return 0.0, 1.0
    low, high = min(shown), max(shown)
    if low == high:
        margin = abs(low) / 2 or 0.5
        return low - margin, high + margin
    return low, high


def _round_up(rough: float) -> float:
    """The next round distance: 1, 2, 2.5 or 5 times a power of ten."""
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(
        (factor * magnitude for factor in _NICE_FACTORS if factor * magnitude >= rough), 10.0 * magnitude
    )


def ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Round values that enclose `low`..`high`; the first is <= low and the last >= high.

    An interval too small or too large for its ticks to differ as floats is answered by its two ends.
    """
    rough = (high - low) / max(wanted, 1)
    if not 0 < rough < math.inf:
        return (low, high)
    step = _round_up(rough)
    if low + step == low or high + step == high:
        return (low, high)
    first, last = math.floor(low / step), math.ceil(high / step)
    return tuple(index * step for index in range(first, last + 1))


def label(value: float) -> str:
    """A tick's text: short, without float noise, thousands as k and millions as M."""
    size = abs(value)
    if size and (size < 0.001 or size >= 1e9):
        return f"{value:.3g}"
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.4g}{suffix}"
    return f"{value:.4g}"
