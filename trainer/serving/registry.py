"""The models of a server: described at once, loaded in the background, asked by label, replaced."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.inference.card import DESCRIPTION, WEIGHTS, Card, ModelError, read_card
from trainer.inference.models import Model, Settings, load_model
from trainer.inference.session import COMPUTING_ERRORS
from trainer.serving.batching import Batcher
from trainer.serving.errors import AnswerError, Fault
from trainer.serving.labels import Place, slug

logger = logging.getLogger(__name__)

MakeBatcher = Callable[[str, Model], Batcher]
Load = Callable[[Path, Settings], Model]
_VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Served:
    """A model that answers; requests keep the one they began with."""

    label: str
    card: Card
    version: str
    """The beginning of the SHA-256 over description and weights."""
    model: Model
    batcher: Batcher


class Registry:
    """Knows every model's card from the start; its sessions come one after the other.

    Raises ``ModelError`` for a folder that holds no model.
    """

    def __init__(
        self,
        places: Sequence[Place],
        settings: Settings,
        batcher: MakeBatcher,
        load: Load = load_model,
        *,
        largest_batch: int = 1,
        runs: int = 1,
    ) -> None:
        self.places = tuple(places)
        self._settings = settings
        self._batcher = batcher
        self._load = load
        self._largest_batch = largest_batch
        self._runs = runs
        self._cards = {place.label: read_card(place.folder) for place in places}
        self._served: dict[str, Served] = {}
        self.refused: dict[str, str] = {}
        """Why the newest files of a label are not served, by label."""
        self.failure: ModelError | None = None

    def start(self, on_failure: Callable[[], None]) -> threading.Thread:
        """Load all models on a thread; a model that does not load is kept in ``failure`` and reported."""

        def work() -> None:
            try:
                for place in self.places:
                    self.serve(self.open(place))
            except ModelError as error:
                self.failure = error
                on_failure()

        thread = threading.Thread(target=work, name="loading", daemon=True)
        thread.start()
        return thread

    def open(self, place: Place) -> Served:
        """The model that lies in a place now, tried out; nothing is served by this.

        Raises ``ModelError`` for what does not load, does not compute or changes meanwhile.
        """
        folder = place.locate()
        version = _version(folder)
        model = self._load(folder, self._settings)
        _try_out(model, self._largest_batch, self._runs)
        if _version(folder) != version:
            raise ModelError(f"{folder} was being written while it was read")
        return Served(place.label, model.card, version, model, self._batcher(place.label, model))

    def serve(self, served: Served) -> None:
        """Answer with this model from now on. Requests that have begun end with the one before."""
        self._cards[served.label] = served.card
        self._served[served.label] = served
        self.refused.pop(served.label, None)
        logger.info("model %s is ready (%s, version %s)", served.label, served.card.folder, served.version)

    @property
    def ready(self) -> bool:
        """Whether every model answers."""
        return len(self._served) == len(self.places)

    @property
    def serving(self) -> list[Served]:
        """The models that answer, in the order of the parameter."""
        return [self._served[place.label] for place in self.places if place.label in self._served]

    def served(self, label: str) -> Served:
        """The model of a label in any spelling that gives the same slug.

        Raises ``AnswerError`` for an unknown label and while the model is being loaded.
        """
        name = self.known(label)
        if name not in self._served:
            raise AnswerError(Fault.LOADING, f"model {name} is being loaded, ask again in a moment")
        return self._served[name]

    def current(self, label: str) -> Served | None:
        """The model that answers under a known label, None before it is loaded."""
        return self._served.get(label)

    def description(self, label: str) -> dict[str, Any]:
        """What a client needs to know of a model: task, classes, input size."""
        name = self.known(label)
        card = self._cards[name]
        served = self._served.get(name)
        told = {
            "label": name,
            "status": "ready" if served else "loading",
            "version": served.version if served else None,
            "task": card.task,
            "classes": list(card.classes),
            "input": {"width": card.size[0], "height": card.size[1]},
        }
        return told | ({"refused": self.refused[name]} if name in self.refused else {})

    def descriptions(self) -> list[dict[str, Any]]:
        """All models, in the order of the parameter."""
        return [self.description(place.label) for place in self.places]

    def known(self, label: str) -> str:
        """The label as it is kept. Raises ``AnswerError`` for an unknown one."""
        name = slug(label)
        if name not in self._cards:
            known = ", ".join(self._cards)
            raise AnswerError(Fault.UNKNOWN_MODEL, f"no model {label!r} here; there is {known}")
        return name


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    try:
        for name in (DESCRIPTION, WEIGHTS):
            digest.update((folder / name).read_bytes())
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:_VERSION_DIGITS]


def _try_out(model: Model, largest_batch: int, runs: int) -> None:
    """Compute on grey pictures, one and as many as ever: what cannot answer is found before it is served.

    It also takes the memory that this needs, so that no request does: one run more than there will be at
    once, because the first of them has the session of those that compute alone.
    """
    try:
        _compute_grey(model, 1)
        with ThreadPoolExecutor(runs + 1) as pool:
            for run in [pool.submit(_compute_grey, model, largest_batch) for _ in range(runs + 1)]:
                run.result()
    except COMPUTING_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{model.card.folder} does not compute ({reason}): train the model again") from error


def _compute_grey(model: Model, count: int) -> None:
    width, height = model.card.size
    grey = np.full((height, width, 3), 114, dtype=np.uint8)
    found = list(model.infer([grey] * count, [model.card.size] * count))
    if len(found) != count:
        raise ModelError(f"{model.card.folder} answers {len(found)} of {count} pictures")
