"""Line charts as geometry: numbers in, coordinates out. The macro in `parts.html` only writes them down.

Keeping the drawing in the template leaves the escaping of every name to Jinja, and the geometry testable
without parsing SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console import scale

STYLES = 8  # how many line styles console.css defines; further series begin again
MARKED_POINTS = 120  # above this many points markers would only smear the line

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 30


@dataclass(frozen=True, slots=True)
class Series:
    """A named line of (step, value) pairs; values that are not finite are left out of the drawing."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A position along an axis, in picture units, and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A point that answers the pointer with its exact value."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn series: SVG path data, its markers and the index of its style."""

    name: str
    style: int
    path: str
    markers: tuple[Marker, ...]
    last: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template needs; coordinates count from the top left, in units of the view box."""

    title: str
    summary: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    bounds: tuple[float, float] | None = None,
    width: int = 640,
    height: int = 240,
) -> Chart:
    """Lay out one chart of "metric to steps".

    `bounds` fixes the value axis (mAP lies in 0..1 whatever was measured) unless a value lies outside;
    without it the axis begins at 0 where all values are positive, so that a loss looks no larger than it is.
    """
    drawn = [_finite(one) for one in series]
    drawn = [one for one in drawn if one.points]
    x_axis = _axis([x for one in drawn for x, _ in one.points], (0.0, None), _LEFT, width - _RIGHT, wanted=6)
    floor = (0.0, None) if bounds is None else bounds
    y_axis = _axis([y for one in drawn for _, y in one.points], floor, height - _BOTTOM, _TOP, wanted=4)
    lines = tuple(_line(index, one, x_axis.place, y_axis.place) for index, one in enumerate(drawn))
    return Chart(
        title=title,
        summary=_summary(title, drawn),
        width=width,
        height=height,
        left=_LEFT,
        right=width - _RIGHT,
        top=_TOP,
        bottom=height - _BOTTOM,
        x_ticks=x_axis.ticks,
        y_ticks=y_axis.ticks,
        lines=lines,
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    place: scale.Linear
    ticks: tuple[Tick, ...]


def _axis(
    values: list[float], hint: tuple[float, float | None], start: float, end: float, *, wanted: int
) -> _Axis:
    low, high = (
        scale.extent([*values, *(bound for bound in hint if bound is not None)]) if values else (0.0, 1.0)
    )
    steps = scale.ticks(low, high, wanted)
    place = scale.Linear(steps[0], steps[-1], start, end)
    return _Axis(place, tuple(Tick(round(place(step), 2), scale.label(step)) for step in steps))


def _finite(series: Series) -> Series:
    kept = tuple(point for point in series.points if all(map(scale.drawable, point)))
    return Series(series.name, tuple(sorted(kept)))


def _line(index: int, series: Series, x_of: scale.Linear, y_of: scale.Linear) -> Line:
    places = [(x_of(x), y_of(y)) for x, y in series.points]
    path = "M" + " L".join(f"{x:.2f},{y:.2f}" for x, y in places)
    markers: tuple[Marker, ...] = ()
    if len(places) <= MARKED_POINTS:
        markers = tuple(
            Marker(round(x, 2), round(y, 2), f"{series.name}: {value:.4g} at step {step:.10g}")
            for (x, y), (step, value) in zip(places, series.points, strict=True)
        )
    return Line(series.name, index % STYLES, path, markers, f"{series.points[-1][1]:.4g}")


def _summary(title: str, series: Sequence[Series]) -> str:
    if not series:
        return f"{title}: no values yet"
    parts = [
        f"{one.name} goes from {one.points[0][1]:.4g} at step {one.points[0][0]:.10g}"
        f" to {one.points[-1][1]:.4g} at step {one.points[-1][0]:.10g}"
        for one in series
    ]
    return f"{title} by step: " + "; ".join(parts)
