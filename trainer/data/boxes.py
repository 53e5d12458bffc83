"""Boxes as an annotation draws them, before they are held against the picture. The same for every form."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trainer.data.records import Box

TOLERANCE_PX = 1.0
"""A box may reach out of the picture by this much (tools that count from 0 do) and is clipped."""

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong on one line of an annotation; ``code`` is one of ``findings.CODES``."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One object: its class and its box, or what is wrong with either; ``line`` is 1-based, 0 for none.

    ``corners`` (xmin, ymin, xmax, ymax) count from 0 and exclude the maxima; ``relative`` ones are shares of
    the picture's width and height. ``shown`` is the box as the file writes it.
    """

    line: int
    label: str | Fault
    corners: Corners | Fault
    shown: str
    difficult: bool = False
    relative: bool = False

    def in_pixels(self, width: int, height: int) -> Corners | Fault:
        """The corners in a picture of ``width`` x ``height`` pixels."""
        if isinstance(self.corners, Fault) or not self.relative:
            return self.corners
        xmin, ymin, xmax, ymax = self.corners
        return xmin * width, ymin * height, xmax * width, ymax * height


@dataclass(frozen=True, slots=True)
class Marks:
    """What an annotation says of one picture; ``size`` (width, height) is None where it does not say.

    ``digest`` stands for all of it, where it is no file of its own.
    """

    size: tuple[int, int] | None
    objects: tuple[Drawn, ...]
    digest: str = ""


def numbers(line: int, values: Sequence[tuple[str, object]]) -> tuple[float, ...] | Fault:
    """Named values as finite numbers, or the fault of the first that is none."""
    found = []
    for name, value in values:
        try:
            number = float(value) if isinstance(value, str | int | float) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or isinstance(value, bool):
            return Fault(line, "box-value", f"{name} is no number: {str(value)[:40]!r}")
        if not math.isfinite(number):
            return Fault(line, "box-value", f"{name} is not finite: {str(value)[:40]!r}")
        found.append(number)
    return tuple(found)


def place_boxes(
    objects: Sequence[Drawn], width: int, height: int, classes: Collection[str] = ()
) -> tuple[tuple[Box, ...], list[Fault]]:
    """The boxes in a picture of ``width`` x ``height`` pixels, and every fault among them.

    An empty ``classes`` allows every name. A box with a fault is not in the result, a clipped box is.
    """
    faults: list[Fault] = []
    if not objects:
        faults.append(Fault(0, "no-boxes", "holds no object: draw the boxes or take the picture out"))
    boxes = [_place(drawn, width, height, classes, faults) for drawn in objects]
    return tuple(box for box in boxes if box is not None), faults


def _place(
    drawn: Drawn, width: int, height: int, classes: Collection[str], faults: list[Fault]
) -> Box | None:
    label, corners = _known(drawn, classes), drawn.in_pixels(width, height)
    if isinstance(label, Fault) or isinstance(corners, Fault):
        faults.append(label if isinstance(label, Fault) else corners)  # type: ignore[arg-type]  # one of them is
        return None
    xmin, ymin, xmax, ymax = corners
    inside = max(xmin, 0.0), max(ymin, 0.0), min(xmax, float(width)), min(ymax, float(height))
    clipped = inside != corners
    if clipped and (_too_far(corners, inside) or min(inside[2] - inside[0], inside[3] - inside[1]) < 1):
        message = f"{drawn.shown} reaches out of the picture of {width}x{height}"
        faults.append(Fault(drawn.line, "box-outside", message))
        return None
    if clipped:
        faults.append(Fault(drawn.line, "box-clipped", f"box of {label!r} clipped to the picture"))
    return Box(*inside, label, drawn.difficult)


def _known(drawn: Drawn, classes: Collection[str]) -> str | Fault:
    if isinstance(drawn.label, Fault):
        return drawn.label
    if not drawn.label:
        return Fault(drawn.line, "class-missing", "an object has no name")
    if classes and drawn.label not in classes:
        return Fault(drawn.line, "class-unknown", f"class {drawn.label!r} is not in class_names")
    return drawn.label


def _too_far(corners: Corners, inside: Corners) -> bool:
    return any(abs(drawn - kept) > TOLERANCE_PX for drawn, kept in zip(corners, inside, strict=True))
