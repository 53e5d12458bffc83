"""A difference for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from generator.diff.model import Category, FileDiff, Kind, TemplateDiff
from generator.diff.values import SIGNS, change_text, printable

__all__ = ["diff_text"]

_MEANING = {
    Category.RETRAIN: "retrain",
    Category.IMAGE: "wait for a new image",
    Category.METADATA: "are metadata only",
}
_MEANING_OF_ONE = {**_MEANING, Category.RETRAIN: "retrains", Category.METADATA: "is metadata only"}
_MEANING_OF_ONE[Category.IMAGE] = "waits for a new image"


def diff_text(diff: TemplateDiff) -> str:
    """One block for each file, then the summary; ends in a line feed."""
    blocks = ["\n".join(_file(file)) for file in diff.files]
    return "\n\n".join([*blocks, summary(diff)]) + "\n"


def summary(diff: TemplateDiff) -> str:
    """`2 files changed, 1 added: 3 changes retrain, 1 is metadata only.`"""
    if not diff:
        return "No template changes."
    kinds = diff.files_by_kind()
    counted = [f"{kinds[kind]} {kind}" for kind in (Kind.CHANGED, Kind.ADDED, Kind.REMOVED) if kind in kinds]
    total = "file" if len(diff.files) == 1 else "files"
    number, _, rest = counted[0].partition(" ")
    files = ", ".join([f"{number} {total} {rest}", *counted[1:]])
    return f"{files}: {_effects(diff)}."


def _effects(diff: TemplateDiff) -> str:
    parts: list[str] = []
    for category, count in diff.by_category().items():
        noun = "" if parts else " change" if count == 1 else " changes"
        parts.append(f"{count}{noun} {(_MEANING_OF_ONE if count == 1 else _MEANING)[category]}")
    return ", ".join(parts)


def _file(file: FileDiff) -> Iterator[str]:
    what = "" if file.changes else f" {file.kind}"
    yield f"{SIGNS[file.kind]} {printable(file.path)}{what} ({file.category})"
    for change in file.changes:
        yield f"    {SIGNS[change.kind]} {change_text(change)} ({change.category})"
