"""The models of a server: described at once, loaded in the background, asked by label."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainer.inference.card import Card, ModelError, read_card
from trainer.inference.models import Model, Settings, load_model
from trainer.serving.errors import AnswerError, Code
from trainer.serving.labels import Place, slug

logger = logging.getLogger(__name__)


class Registry:
    """Knows every model's card from the start; its sessions come one after the other.

    Raises ``ModelError`` for a folder that holds no model.
    """

    def __init__(
        self, places: Sequence[Place], settings: Settings, load: Callable[..., Model] = load_model
    ) -> None:
        self._places = tuple(places)
        self._settings = settings
        self._load = load
        self._cards: Mapping[str, Card] = {place.label: read_card(place.folder) for place in places}
        self._models: dict[str, Model] = {}
        self.failure: ModelError | None = None

    def start(self, on_failure: Callable[[], None]) -> threading.Thread:
        """Load all models on a thread; a model that does not load is kept in ``failure`` and reported."""

        def work() -> None:
            try:
                for place in self._places:
                    self._models[place.label] = self._load(place.folder, self._settings)
                    logger.info("model %s is ready (%s)", place.label, place.folder)
            except ModelError as error:
                self.failure = error
                on_failure()

        thread = threading.Thread(target=work, name="loading", daemon=True)
        thread.start()
        return thread

    @property
    def ready(self) -> bool:
        """Whether every model answers."""
        return len(self._models) == len(self._places)

    def model(self, label: str) -> Model:
        """The model of a label in any spelling that gives the same slug.

        Raises ``AnswerError`` for an unknown label and while the model is being loaded.
        """
        name = self._known(label)
        if name not in self._models:
            raise AnswerError(Code.LOADING, f"model {name} is being loaded, ask again in a moment")
        return self._models[name]

    def description(self, label: str) -> dict[str, Any]:
        """What a client needs to know of a model: task, classes, input size."""
        name = self._known(label)
        card = self._cards[name]
        return {
            "label": name,
            "status": "ready" if name in self._models else "loading",
            "task": card.task,
            "classes": list(card.classes),
            "input": {"width": card.size[0], "height": card.size[1]},
        }

    def descriptions(self) -> list[dict[str, Any]]:
        """All models, in the order of the parameter."""
        return [self.description(place.label) for place in self._places]

    def _known(self, label: str) -> str:
        name = slug(label)
        if name not in self._cards:
            known = ", ".join(self._cards)
            raise AnswerError(Code.UNKNOWN_MODEL, f"no model {label!r} here; there is {known}")
        return name
