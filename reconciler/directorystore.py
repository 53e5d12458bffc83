"""A folder of this machine as object store: localcore's, or a mounted share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from reconciler.dataset import DatasetFile
from reconciler.errors import InputRejectedError
from reconciler.files import write_atomically
from reconciler.objectstore import Arrived, changed, uncounted

_CHUNK = 1 << 20


class DirectoryStore:
    """A folder of this machine (localcore's object store, or a mounted share)."""

    workers = 4

    def __init__(self, root: Path) -> None:
        self._root = root

    def stored(self, prefix: str, files: tuple[DatasetFile, ...]) -> frozenset[str]:
        folder = self._path(prefix)
        with ThreadPoolExecutor(self.workers) as pool:
            same = pool.map(lambda file: _same(folder / file.path, file), files)
            return frozenset(file.path for file, is_same in zip(files, same, strict=True) if is_same)

    def sizes(self, prefix: str) -> dict[str, int]:
        folder = self._path(prefix)
        try:
            return {
                path.relative_to(folder).as_posix(): path.stat().st_size
                for parent, _, names in os.walk(folder, onerror=_not_absent)
                for path in (Path(parent, name) for name in names)
            }
        except OSError as error:
            raise self._unusable(error) from None

    def put(self, prefix: str, source: Path, file: DatasetFile, arrived: Arrived = uncounted) -> None:
        target = self._path(f"{prefix}/{file.path}")
        # Unfinished files wait outside the prefix: a reader of the folder must never meet one.
        waiting = self._root / ".corespec-unfinished" / secrets.token_hex(8)
        digest = hashlib.sha256()
        try:
            waiting.parent.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with (source / file.path).open("rb") as incoming, waiting.open("wb") as outgoing:
                while chunk := incoming.read(_CHUNK):
                    digest.update(chunk)
                    outgoing.write(chunk)
                    arrived(len(chunk), sent=True)
            if digest.hexdigest() != file.sha256:
                raise changed(file)
            waiting.replace(target)
        except OSError as error:
            raise self._unusable(error) from None
        finally:
            with contextlib.suppress(OSError):
                waiting.unlink()

    def read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None

    def write(self, key: str, content: bytes) -> None:
        try:
            if hasattr(os, "sync"):
                os.sync()  # the marker must not outlive, in a power failure, the files it vouches for
            write_atomically(self._path(key), content)
        except OSError as error:
            raise self._unusable(error) from None

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if ".." in parts or PurePosixPath(key).is_absolute():
            raise InputRejectedError(
                f"{key!r} leads out of the object store.", remedy="Correct datasets.<name>.path."
            )
        return self._root.joinpath(*parts)

    def _unusable(self, error: OSError) -> InputRejectedError:
        return InputRejectedError(
            f"The object store folder {self._root} cannot be used: {error.strerror or error}",
            remedy="Check objectStores.<name>.path, its permissions and its free space.",
        )


def _same(path: Path, file: DatasetFile) -> bool:
    try:
        if not path.is_file() or path.stat().st_size != file.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _not_absent(error: OSError) -> None:
    """A folder that is not there holds nothing; one that cannot be read is another thing."""
    if not isinstance(error, FileNotFoundError):
        raise error
