"""Files of one project folder by their path in it: nothing is read or written outside, whatever links say."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from generator.errors import GeneratorError


class Tree:
    """A project folder. Paths are relative to it, with `/` between their parts.

    Every method raises GeneratorError for a path that leads out of the folder, and OSError where the machine
    refuses. Folders are resolved once, so an object serves one run and no longer.
    """

    def __init__(self, root: Path) -> None:
        self._base = root.resolve()
        self._folders: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """Content of a plain file; None where there is none."""
        target = self._inside(path)
        if not _is_plain(target):
            return None
        with open(target, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of files: a Path each costs
            return file.read()

    def is_file(self, path: str) -> bool:
        """Whether there is a plain file."""
        return _is_plain(self._inside(path))

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, sorted; empty where there is no such folder."""
        return sorted(entry.name for entry in self._entries(path) if entry.is_dir())

    def files(self, path: str) -> list[str]:
        """Names of the plain files in a folder, sorted; empty where there is no such folder."""
        return sorted(entry.name for entry in self._entries(path) if entry.is_file())

    def write(self, path: str, content: bytes) -> None:
        """Put a file in place at once: a reader sees the old content or the new."""
        target = Path(self._inside(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """Remove a file, and every folder that it leaves empty."""
        target = Path(self._inside(path))
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == self._base or (parent.is_dir() and any(parent.iterdir())):
                break
            if parent.is_dir():  # an earlier path may have emptied and removed it
                parent.rmdir()

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._inside(path)) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _inside(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._checked(self._base / folder, path)
        target = f"{self._folders[folder]}/{name}"
        if name in {"", ".", ".."} or os.path.islink(target):  # noqa: PTH114
            return self._checked(Path(target), path)
        return target

    def _checked(self, target: Path, path: str) -> str:
        resolved = Path(os.path.realpath(target))  # as Path.resolve, but a circle of links is no crash
        if resolved != self._base and self._base not in resolved.parents:
            raise GeneratorError(
                f"{path} leads out of the project folder (a link?); replace it by a plain folder"
            )
        return str(resolved)


def _is_plain(target: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(target).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False
