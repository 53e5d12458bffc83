"""New models without a new server: folders are looked at, and what changed is taken when it is whole.

The model that answers is replaced in one step, after its successor has loaded and computed; requests under
way end with the one they began with. A successor that is broken, or of another task, is refused: the old one
goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from trainer.inference.card import DESCRIPTION, WEIGHTS, ModelError
from trainer.inference.embedder import INDEX
from trainer.serving.labels import Place
from trainer.serving.registry import Registry, Served

logger = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int, int], ...]
"""Path, inode, time and size of a model's files: another one means other files."""


@dataclass(slots=True)
class Sight:
    """What was seen of one model's files: when it was last decided on, and at the last look."""

    decided: Signature | None
    last: Signature | None

    def due(self, now: Signature | None, *, at_once: bool) -> bool:
        """Whether the files should be loaded: other than those decided on, and still as at the last look.

        ``at_once`` takes them as they are, the same files again included.
        """
        due = at_once or now == self.last != self.decided
        self.last = now
        if due:
            self.decided = now
        return due


class Reloader:
    """Looks at the models of a registry; ``outcome`` is told label and ok or failed for each it loads."""

    def __init__(self, registry: Registry, outcome: Callable[[str, str], None]) -> None:
        self._registry = registry
        self._outcome = outcome
        self._asked = asyncio.Event()
        self._sights = {place.label: Sight(*[signature(place)] * 2) for place in registry.places}

    def ask(self) -> None:
        """Load everything anew at once; for SIGHUP, on the event loop."""
        self._asked.set()

    async def run(self, seconds: float) -> None:
        """Look every ``seconds`` (0: only when asked) until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds or None):
                    await self._asked.wait()
            at_once = self._asked.is_set()
            self._asked.clear()
            await self.look(at_once=at_once)

    async def look(self, *, at_once: bool = False) -> None:
        """One look at every model that is loaded."""
        for place in self._registry.places:
            if self._registry.current(place.label) is None:
                continue  # its first loading is still going on
            now = await asyncio.to_thread(signature, place)
            if self._sights[place.label].due(now, at_once=at_once):
                await self._take(place)

    async def _take(self, place: Place) -> None:
        try:
            served = await asyncio.to_thread(self._registry.open, place)
            self._check_task(served)
        except ModelError as error:
            self._registry.refused[place.label] = str(error)
            logger.error("model %s stays as it was: %s", place.label, error)
            self._outcome(place.label, "failed")
            return
        self._registry.serve(served)
        self._outcome(place.label, "ok")

    def _check_task(self, served: Served) -> None:
        before = self._registry.served(served.label).card
        if served.card.task != before.task:
            raise ModelError(
                f"{served.card.folder} is a model for {served.card.task}, and clients of {served.label} "
                f"expect {before.task}: serve it under a label of its own"
            )


def signature(place: Place) -> Signature | None:
    """The files in a place as they are now; None where there is no whole model."""
    try:
        folder = place.locate()
        told = []
        for name in (DESCRIPTION, WEIGHTS, INDEX):
            if name != INDEX or (folder / name).exists():
                facts = (folder / name).stat()
                told.append((str(folder / name), facts.st_ino, facts.st_mtime_ns, facts.st_size))
    except (OSError, ModelError):
        return None
    return tuple(told)
