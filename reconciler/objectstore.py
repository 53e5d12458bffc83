"""Where datasets are put for AI Core to read: `ai://<store>/<path>/<fingerprint12>`.

A finished upload has a marker `<prefix>.manifest.json` *beside* its prefix, written last, so that what
reads the folder sees data alone, and half an upload is never mistaken for a whole one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from reconciler.dataset import DatasetFile, DatasetManifest
from reconciler.errors import ConflictError, DatasetError, InputRejectedError
from reconciler.files import write_atomically

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is; what was there already counts as done."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    sent_bytes: int  #: of `bytes_done`, those that really travelled


class ObjectStore(Protocol):
    """A place for objects under a prefix. Methods raise the errors of `reconciler.errors`."""

    workers: int  #: transfers that make sense at the same time

    def stored(self, prefix: str, files: tuple[DatasetFile, ...]) -> frozenset[str]:
        """The paths of those `files` that lie under `prefix` with the very same content."""
        ...

    def put(self, prefix: str, source: Path, file: DatasetFile) -> None:
        """Send one file; it appears whole or not at all. DatasetError if it is no longer what was hashed."""
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


def upload(
    store: ObjectStore,
    prefix: str,
    manifest: DatasetManifest,
    progress: Callable[[UploadProgress], None] = lambda _: None,
) -> None:
    """Bring the dataset under `prefix`, skipping what lies there, and write the marker last.

    May be interrupted at any point and called again. `progress` is called from several threads, one at a
    time.
    """
    there = store.stored(prefix, manifest.files)
    missing = [file for file in manifest.files if file.path not in there]
    skipped = [file for file in manifest.files if file.path in there]
    tally = _Tally(manifest, progress, files=len(skipped), size=sum(f.size for f in skipped))
    tally.report()
    with ThreadPoolExecutor(store.workers) as pool:
        transfers = [pool.submit(store.put, prefix, manifest.source, file) for file in missing]
        try:
            for file, transfer in zip(missing, transfers, strict=True):
                transfer.result()
                tally.add(file)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    store.write(marker_key(prefix), json.dumps(manifest.document(), indent=1).encode())


class _Tally:
    def __init__(
        self, manifest: DatasetManifest, progress: Callable[[UploadProgress], None], *, files: int, size: int
    ) -> None:
        self._manifest, self._progress = manifest, progress
        self._files, self._bytes, self._sent = files, size, 0
        self._lock = threading.Lock()

    def add(self, file: DatasetFile) -> None:
        with self._lock:
            self._files += 1
            self._bytes += file.size
            self._sent += file.size
            self.report()

    def report(self) -> None:
        whole = self._manifest
        self._progress(UploadProgress(self._files, len(whole.files), self._bytes, whole.bytes, self._sent))


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

    def put(self, prefix: str, source: Path, file: DatasetFile) -> None:
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


def changed(file: DatasetFile) -> DatasetError:
    return DatasetError(
        f"{file.path} changed while it was being uploaded.",
        remedy="Run again once nothing writes to the dataset folder.",
    )


def _same(path: Path, file: DatasetFile) -> bool:
    try:
        if not path.is_file() or path.stat().st_size != file.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError:
        return False
