"""What a branch changes in `rendered/`: two states of it, from Git or from disk, compared by meaning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generator.diff import TemplateDiff, diff_templates
from generator.errors import RepositoryError
from generator.repository import Credentials, GitRepository

__all__ = ["Review", "review"]

_RENDERED = "rendered"


@dataclass(frozen=True, slots=True)
class Review:
    """A difference and between what it is: commit ids, `head` None for the working tree."""

    base: str
    head: str | None
    diff: TemplateDiff


def review(
    root: Path,
    base: str,
    head: str | None = None,
    *,
    environment: str | None = None,
    credentials: Credentials | None = None,
) -> Review:
    """Compare what is rendered at `base` with what is at `head`, or with the files on disk.

    Of one environment, or of all. Revisions that are not here are fetched. Raises RepositoryError for those
    that nobody has, and for an environment that neither side has.
    """
    repository = GitRepository.open(root, credentials)
    folder = f"{_RENDERED}/{environment}" if environment else _RENDERED
    old = repository.resolve(base)
    new = repository.resolve(head) if head else None
    before = repository.files(old, folder)
    after = repository.files(new, folder) if new else files_on_disk(root, folder)
    if environment and not before and not after:
        raise RepositoryError(
            f"neither {base} nor {head or 'the working tree'} has {folder}; correct the name, or write it "
            f"with `corespec render -e {environment}`"
        )
    return Review(old, new, diff_templates(_utf8(before), _utf8(after)))


def files_on_disk(root: Path, folder: str) -> dict[str, bytes]:
    """Content of every plain file below a folder, by its path from `root`; links are not followed."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _plain_files(root / folder)}


def _utf8(files: dict[str, bytes]) -> dict[str, bytes]:
    """Names that are no UTF-8 with a replacement for what is not, so that every report can show them."""
    return {os.fsencode(path).decode("utf-8", "replace"): content for path, content in files.items()}


def _plain_files(folder: Path) -> Iterator[Path]:
    if any(parent.is_symlink() for parent in (folder, folder.parent)):
        return
    for parent, _, names in os.walk(folder):
        paths = (Path(parent, name) for name in sorted(names))
        yield from (path for path in paths if path.is_file() and not path.is_symlink())
