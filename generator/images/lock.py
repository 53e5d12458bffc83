"""`images.lock.yaml`: the digest behind each tag, so that what was reviewed is what runs.

Rendering puts the digest behind the tag. A tag that moved since is drift, which `corespec image lock --check`
finds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.emit import emit
from generator.errors import GeneratorError, InputError
from generator.spec.locks import LOCK_PATH, ImageLock
from generator.spec.parse import parse
from generator.spec.reader import read

__all__ = ["LockEntry", "LockState", "compare", "read_lock", "write_lock"]

_HEADER = (
    "# Written by `corespec image push` and `corespec image lock`: the content that each tag stands for.\n"
)


class LockState(StrEnum):
    """How a tag stands to the lock."""

    SAME = "same"
    NEW = "new"
    """The lock does not know the tag yet."""
    MOVED = "moved"
    """The tag stands for other content than when it was locked."""


@dataclass(frozen=True)
class LockEntry:
    """A tag, the digest that the lock has for it (None: not locked) and the one that the registry has."""

    reference: str
    locked: str | None
    found: str

    @property
    def state(self) -> LockState:
        """Whether the lock still holds."""
        if self.locked is None:
            return LockState.NEW
        return LockState.SAME if self.locked == self.found else LockState.MOVED


def compare(locked: Mapping[str, str], found: Mapping[str, str]) -> list[LockEntry]:
    """What the lock and the registry say about each tag that was `found`, sorted by reference."""
    return [LockEntry(reference, locked.get(reference), found[reference]) for reference in sorted(found)]


def read_lock(root: Path) -> dict[str, str]:
    """Digests by `host/name:tag`; empty when the project has no lock yet. Raises InputError."""
    path = root / LOCK_PATH
    if not path.exists():
        return {}
    parsed = parse(read(LOCK_PATH, path.read_bytes()), ImageLock)
    if parsed.model is None:
        raise InputError(parsed.diagnostics)
    return dict(parsed.model.images)


def write_lock(root: Path, digests: Mapping[str, str]) -> list[LockEntry]:
    """Put digests into the lock, and keep what it has of other images; returns the entries that changed.

    Atomic: a reader sees the old file or the new one. Raises InputError for a lock that cannot be read, and
    GeneratorError when it cannot be written.
    """
    locked = read_lock(root)
    changed = [entry for entry in compare(locked, digests) if entry.state is not LockState.SAME]
    if changed:
        _replace(root / LOCK_PATH, lock_text({**locked, **digests}.items()))
    return changed


def lock_text(images: Iterable[tuple[str, str]]) -> str:
    """The file, for pairs of reference and digest."""
    document = {"apiVersion": "corespec/v1", "kind": "ImageLock", "images": dict(sorted(images))}
    return _HEADER + emit(document)


def _replace(path: Path, text: str) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(text.encode("utf-8"))
                file.flush()
                temporary.chmod(0o644)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}); make room for it and run again"
        raise GeneratorError(message) from None
