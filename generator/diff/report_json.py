"""A difference for programs."""

from __future__ import annotations

from typing import Any

from generator.diff.model import Change, FileDiff, Kind, TemplateDiff

__all__ = ["diff_document"]


def diff_document(diff: TemplateDiff) -> dict[str, Any]:
    """The difference as JSON data: `summary` and `files`; values are whole and as they were parsed.

    An absent side of a change has no key.
    """
    kinds = {str(kind): count for kind, count in diff.files_by_kind().items()}
    effects = {str(category): count for category, count in diff.by_category().items()}
    return {"summary": {"files": kinds, "changes": effects}, "files": [_file(file) for file in diff.files]}


def _file(file: FileDiff) -> dict[str, Any]:
    return {
        "path": file.path,
        "change": file.kind.value,
        "category": file.category.value,
        "changes": [_change(change) for change in file.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {"address": change.address, "change": change.kind.value}
    if change.kind is not Kind.ADDED:
        document["before"] = change.before
    if change.kind is not Kind.REMOVED:
        document["after"] = change.after
    return {**document, "category": change.category.value}
