"""A difference as data: small, frozen, and the same for text, JSON, Markdown and commit messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened to a file or to a part of one."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The same named items in another order; `before` and `after` are their names."""


class Category(StrEnum):
    """What a change brings about once it is published."""

    RETRAIN = "retrain"
    """Enters `generator.fingerprint.template_fingerprint`: new configurations and new runs."""
    IMAGE = "image"
    """Goes into an image: nothing happens before one is built and its tag or digest changes."""
    METADATA = "metadata"
    """Is rendered and synced; nothing runs anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a file: where, its JSON value on both sides (None where it is absent), and its effect."""

    address: str
    kind: Kind
    before: Any
    after: Any
    category: Category


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file. `changes` is empty for a file that came or went as a whole."""

    path: str
    kind: Kind
    category: Category
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateDiff:
    """All files that differ, sorted by path; falsy when none does."""

    files: tuple[FileDiff, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def changes(self) -> Iterator[Change]:
        """The changes inside of files, in order."""
        return (change for file in self.files for change in file.changes)

    def files_by_kind(self) -> dict[Kind, int]:
        """How many files were added, removed, changed; kinds without a file are left out."""
        return dict(Counter(file.kind for file in self.files))

    def by_category(self) -> dict[Category, int]:
        """How many changes (a whole file counts as one) bring about what; in the order of `Category`."""
        found = Counter(item.category for file in self.files for item in file.changes or (file,))
        return {category: found[category] for category in Category if found[category]}
