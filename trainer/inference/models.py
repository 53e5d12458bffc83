"""Any model folder as one kind of thing: the task in ``model.json`` decides what runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.inference.card import Card, ModelError, read_card
from trainer.inference.classifier import Classifier
from trainer.inference.detector import Detector
from trainer.inference.embedder import Embedder
from trainer.inference.session import SharedSession, gpu_available, open_session, usable_cores

TASKS = ("object-detection", "image-classification", "image-embedding")


class Result(Protocol):
    """What a model says of one picture."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, with class names, for files."""

    def as_answer(self) -> dict[str, Any]:
        """JSON-ready, in the words of the CV package's server."""


class Model(Protocol):
    """A loaded model; both methods may be called from several threads at once."""

    card: Card

    def prepare(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """An RGB picture as the network takes it: (H, W, 3) bytes."""

    def infer(
        self, pixels: Sequence[npt.NDArray[np.uint8]], sizes: Sequence[tuple[int, int]]
    ) -> Iterator[Result]:
        """One result for each prepared picture, whose own sizes (width, height) were ``sizes``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How models run; thresholds are for detectors, None leaves the model's own."""

    gpu: bool = False
    pin: bool = False
    shared: bool = False
    """Whether several threads ask at once; on a GPU they take turns all the same."""
    threshold: float | None = None
    overlap: float | None = None


def load_model(folder: Path, settings: Settings = Settings()) -> Model:
    """Load a model folder. Raises ``ModelError`` for what is none, and for tasks of other versions."""
    card = read_card(folder)
    if card.task not in TASKS:
        raise ModelError(f"{folder} holds a model for {card.task!r}, which this version cannot run")
    session = _open(folder, settings)
    if card.task == "image-classification":
        return Classifier(card, session)
    if card.task == "image-embedding":
        return Embedder(card, session)
    return Detector(card, session, threshold=settings.threshold, overlap=settings.overlap)


def _open(folder: Path, settings: Settings) -> Any:
    if settings.shared and usable_cores() > 1 and not (settings.gpu and gpu_available()):
        return SharedSession(folder, pin=settings.pin)
    return open_session(folder, gpu=settings.gpu, pin=settings.pin)


def chosen(threshold: float) -> float | None:
    """A threshold parameter: negative leaves the model's own."""
    return None if threshold < 0 else threshold
