"""Where datasets are put for AI Core to read: `ai://<store>/<path>/<fingerprint12>`.

`ObjectStore` is all that the reconciler knows of a kind of store; `reconciler.stores` opens the kinds.

A finished upload has a marker `<prefix>.manifest.json` *beside* its prefix, written last, so that what
reads the folder sees data alone, and half an upload is never mistaken for a whole one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from reconciler.dataset import DatasetFile
from reconciler.errors import ConflictError, DatasetError


class Arrived(Protocol):
    """Called as bytes of a file arrive; `sent` is false for those that were there already.

    What it raises ends the transfer.
    """

    def __call__(self, size: int, *, sent: bool) -> None: ...


def uncounted(size: int, *, sent: bool) -> None:
    """An `Arrived` for who does not count."""


class ObjectStore(Protocol):
    """A place for objects under a prefix. Methods raise the errors of `reconciler.errors`."""

    workers: int  #: transfers that make sense at the same time

    def stored(self, prefix: str, files: tuple[DatasetFile, ...]) -> frozenset[str]:
        """The paths of those `files` that lie under `prefix` with the very same content."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of each object under `prefix`, by its path below it: a listing, nothing is opened."""
        ...

    def put(self, prefix: str, source: Path, file: DatasetFile, arrived: Arrived = uncounted) -> None:
        """Send one file; it appears whole or not at all. DatasetError if it is no longer what was hashed.

        Called again after an interruption it goes on where that was, as far as the store can.
        """
        ...

    def read(self, key: str) -> bytes | None:
        """A small object, None if it is absent."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write a small object at once."""
        ...


def marker_key(prefix: str) -> str:
    """The object that says: everything below `prefix` has arrived."""
    return f"{prefix}.manifest.json"


def is_complete(store: ObjectStore, prefix: str, fingerprint: str) -> bool:
    """Whether the whole dataset of that fingerprint lies under `prefix`.

    Raises ConflictError when another dataset lies there (two fingerprints may share their first 12 digits).
    """
    content = store.read(marker_key(prefix))
    if content is None:
        return False
    try:
        found = json.loads(content)["fingerprint"]
    except (ValueError, KeyError, TypeError):
        return False  # a marker nobody can read proves nothing: send again
    if found != fingerprint:
        raise ConflictError(
            f"{prefix} in the object store holds another dataset ({str(found)[:12]}…).",
            remedy="Choose another datasets.<name>.path.",
        )
    return True


def changed(file: DatasetFile) -> DatasetError:
    return DatasetError(
        f"{file.path} changed while it was being uploaded.",
        remedy="Run again once nothing writes to the dataset folder.",
    )
