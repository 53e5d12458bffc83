"""What building and pushing report while they are at it; the caller draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["ImageEvent", "ImageEventKind", "Listener"]


class ImageEventKind(StrEnum):
    """What an event tells."""

    STEP = "step"
    """A step of the Dockerfile begins; `message` is the instruction."""
    CACHED = "cached"
    """The step that began last is taken from the cache."""
    OUTPUT = "output"
    """One line that a step printed."""
    LAYER = "layer"
    """A layer moves from or to a registry; `layer`, `done` and `total` say how far."""
    DONE = "done"
    """The image is built, or pushed."""


@dataclass(frozen=True, slots=True)
class ImageEvent:
    """One report about the image `image` (host/name:tag).

    `step` of `steps` counts from 1; `done` and `total` are bytes, 0 where they are not known.
    """

    kind: ImageEventKind
    image: str
    message: str = ""
    step: int = 0
    steps: int = 0
    layer: str = ""
    done: int = 0
    total: int = 0


Listener = Callable[[ImageEvent], None]


def layer_event(image: str, line: Mapping[str, Any], step: int = 0, steps: int = 0) -> ImageEvent:
    """What a line of the engine's stream says about a layer that moves."""
    progress = line.get("progressDetail") or {}
    return ImageEvent(
        ImageEventKind.LAYER,
        image,
        str(line.get("status", "")),
        step,
        steps,
        layer=str(line.get("id", "")),
        done=int(progress.get("current", 0)),
        total=int(progress.get("total", 0)),
    )


def silent(event: ImageEvent) -> None:
    """A listener that hears nothing."""
    del event
