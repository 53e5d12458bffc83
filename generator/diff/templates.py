"""`diff_templates`: two states of `rendered/`, file by file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from generator.diff.dockerfile import diff_dockerfile
from generator.diff.documents import diff_documents
from generator.diff.model import Category, Change, FileDiff, Kind, TemplateDiff
from generator.diff.parse import parse_documents
from generator.diff.requirements import diff_requirements

_MANIFEST = "manifest.json"  # follows from the other files
_DOCUMENTS = frozenset({".yaml", ".yml", ".json"})


def diff_templates(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> TemplateDiff:
    """What changed in meaning from one state of `rendered/` to another, both as path -> content.

    Comments, key order, quoting and line breaks are no change; manifests follow from the other files and are
    left out. A file that cannot be read as what its name says is compared line by line. Never raises.
    """
    paths = sorted(path for path in {*before, *after} if PurePosixPath(path).name != _MANIFEST)
    found = (_file(path, before.get(path), after.get(path)) for path in paths)
    return TemplateDiff(tuple(file for file in found if file))


def _file(path: str, before: bytes | None, after: bytes | None) -> FileDiff | None:
    if before == after:
        return None
    if before is None:
        return FileDiff(path, Kind.ADDED, _whole(path))
    if after is None:
        return FileDiff(path, Kind.REMOVED, Category.METADATA)
    changes = _changes(path, before, after)
    category = next((item for item in Category if any(change.category is item for change in changes)), None)
    return FileDiff(path, Kind.CHANGED, category, changes) if category else None


def _whole(path: str) -> Category:
    """A new template is run for the first time; a new Dockerfile waits to be built."""
    if _is_template(path):
        return Category.RETRAIN
    return Category.IMAGE if _text_diff(path) else Category.METADATA


def _is_template(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in _DOCUMENTS


def _text_diff(path: str) -> Callable[[str, str], tuple[Change, ...]] | None:
    name = PurePosixPath(path).name
    if name == "Dockerfile" or name.endswith(".Dockerfile"):
        return diff_dockerfile
    return diff_requirements if name.startswith("requirements") and name.endswith(".txt") else None


def _changes(path: str, before: bytes, after: bytes) -> tuple[Change, ...]:
    if _is_template(path):
        old, new = parse_documents(before), parse_documents(after)
        if old is not None and new is not None:
            return diff_documents(old, new)
        return (_lines(before, after, Category.RETRAIN),)
    compare = _text_diff(path)
    if compare is None:
        return (_lines(before, after, Category.METADATA),)
    return compare(before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))


def _lines(before: bytes, after: bytes, category: Category) -> Change:
    """How many lines went and came, for what cannot be compared by meaning."""
    old, new = before.splitlines(), after.splitlines()
    same = sum(block.size for block in SequenceMatcher(a=old, b=new, autojunk=False).get_matching_blocks())
    removed, added = f"{len(old) - same} lines", f"{len(new) - same} lines"
    return Change("(lines)", Kind.CHANGED, removed, added, category)
