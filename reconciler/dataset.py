"""A dataset is what its files hold: path, size and SHA-256 of each, hashed in parallel and remembered.

The cache remembers a hash by (path, size, mtime, inode). Deleting it changes nothing but speed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from generator.fingerprint import manifest_fingerprint
from reconciler.clock import Clock, SystemClock
from reconciler.errors import DatasetError
from reconciler.files import write_atomically

#: What desktops and version control leave in folders; it is never data, and would look like a change of it.
IGNORED_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".git", "__MACOSX"})
#: A file changed this recently may change again within the same clock tick, so its hash is not remembered.
RACY_SECONDS = 2.0
_CHUNK = 1 << 20
_WORKERS = 8
_CACHE_VERSION = 1
_MOST_NAMED = 20

#: (size, mtime in ns, inode, sha256)
_Remembered = tuple[int, int, int, str]


@dataclass(frozen=True, slots=True, order=True)
class DatasetFile:
    path: str  #: relative, POSIX
    size: int  #: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """The whole content of one dataset. Two folders with the same files are the same dataset."""

    source: Path
    files: tuple[DatasetFile, ...]
    fingerprint: str  #: SHA-256 over (path, size, sha256) of all files, hex
    #: brings the files to `source` where they are not there yet; whoever opens one calls it first
    fetch: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def document(self) -> dict[str, object]:
        """The manifest as it is written beside an upload."""
        files = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in self.files]
        return {"format_version": "1.0", "fingerprint": self.fingerprint, "bytes": self.bytes, "files": files}


def manifest(source: Path, cache: Path | None = None, clock: Clock | None = None) -> DatasetManifest:
    """Hash every file below `source` (a folder); `cache` is the folder for remembered hashes.

    Raises DatasetError naming the folder and every file that cannot be part of a dataset.
    """
    paths = _files(source)
    remembered, cache_file = _load_cache(source, cache)
    with ThreadPoolExecutor(_WORKERS) as pool:
        results = list(pool.map(lambda path: _hash(source, path, remembered), paths))
    problems = [result for result in results if isinstance(result, str)]
    if problems:
        raise _unusable(source, problems)
    hashed = [result for result in results if not isinstance(result, str)]
    _save_cache(cache_file, hashed, remembered, clock)
    files = tuple(sorted(DatasetFile(path, size=entry[0], sha256=entry[3]) for path, entry in hashed))
    return DatasetManifest(source, files, manifest_fingerprint((f.path, f.size, f.sha256) for f in files))


def file_sha256(path: Path, cache: Path | None = None, clock: Clock | None = None) -> str:
    """SHA-256 (hex) of one file, remembered like those of a dataset. Raises DatasetError."""
    remembered, cache_file = _load_cache(path, cache)
    result = _hash(path.parent, path.name, remembered)
    if isinstance(result, str):
        raise DatasetError(f"{path.parent}/{result}", remedy="Run again once it can be read and is complete.")
    _save_cache(cache_file, [result], remembered, clock)
    return result[1][3]


def _files(source: Path) -> list[str]:
    if not source.exists():
        raise DatasetError(
            f"The dataset folder {source} does not exist.",
            remedy="Correct datasets.<name>.source; it is relative to the project folder.",
        )
    if not source.is_dir():
        raise DatasetError(
            f"The dataset source {source} is neither a folder nor an archive (.zip, .tar, .tar.gz, .tgz).",
            remedy="Name a folder or one of these archives.",
        )
    problems: list[str] = []
    paths = [path for path in _walk(source, source.resolve(), problems) if path]
    if problems:
        raise _unusable(source, problems)
    if not paths:
        raise DatasetError(
            f"The dataset folder {source} holds no files.", remedy="Put the pictures there first."
        )
    return sorted(paths)


def _walk(source: Path, real_root: Path, problems: list[str]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        problems.append(f"{_relative(source, Path(str(error.filename)))}: {error.strerror}")

    for folder, folders, names in os.walk(source, onerror=unreadable):
        folders[:] = sorted(name for name in folders if name not in IGNORED_NAMES)
        for name in [*folders, *names]:
            path = Path(folder, name)
            relative = _relative(source, path)
            if name in IGNORED_NAMES:
                continue
            if problem := _problem(path, relative, real_root, is_folder=name in folders):
                problems.append(f"{relative}: {problem}")
            elif name not in folders:
                yield relative


def _problem(path: Path, relative: str, real_root: Path, *, is_folder: bool) -> str | None:
    try:
        relative.encode()
    except UnicodeEncodeError:
        return "the file name is not valid UTF-8"
    if path.is_symlink():
        if is_folder:
            return "a link to a folder; copy the folder instead"
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "a link that leads nowhere"
        if not target.is_relative_to(real_root):
            return "a link that leads out of the dataset folder"
    if not is_folder and not stat.S_ISREG(path.stat().st_mode):
        return "not a plain file"
    return None


def _relative(source: Path, path: Path) -> str:
    return PurePosixPath(path.relative_to(source)).as_posix() if path.is_relative_to(source) else str(path)


def _hash(source: Path, path: str, remembered: dict[str, _Remembered]) -> tuple[str, _Remembered] | str:
    """(path, entry), or a sentence about what is wrong with the file."""
    file = source / path
    try:
        before = file.stat()
        known = remembered.get(path)
        if known and known[:3] == (before.st_size, before.st_mtime_ns, before.st_ino):
            return path, known
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        after = file.stat()
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return f"{path}: changed while it was read"
    return path, (after.st_size, after.st_mtime_ns, after.st_ino, digest.hexdigest())


def _unusable(source: Path, problems: list[str]) -> DatasetError:
    named = "\n  ".join(sorted(problems)[:_MOST_NAMED])
    more = f"\n  … and {len(problems) - _MOST_NAMED} more" if len(problems) > _MOST_NAMED else ""
    return DatasetError(
        f"The dataset folder {source} cannot be used:\n  {named}{more}",
        remedy="Repair or remove these files.",
    )


def _save_cache(
    cache_file: Path | None,
    hashed: list[tuple[str, _Remembered]],
    remembered: dict[str, _Remembered],
    clock: Clock | None,
) -> None:
    if cache_file is None:
        return
    newest = (clock or SystemClock()).now().timestamp() - RACY_SECONDS
    keep = {path: entry for path, entry in hashed if entry[1] / 1e9 < newest}
    if keep != remembered:
        write_atomically(cache_file, json.dumps({"version": _CACHE_VERSION, "files": keep}).encode())


def _load_cache(source: Path, cache: Path | None) -> tuple[dict[str, _Remembered], Path | None]:
    if cache is None:
        return {}, None
    key = hashlib.sha256(str(source.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    file = cache / "manifests" / f"{key}.json"
    try:
        document = json.loads(file.read_bytes())
        if document["version"] != _CACHE_VERSION:
            return {}, file
        files = {
            str(path): (int(s), int(m), int(i), str(h)) for path, (s, m, i, h) in document["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, file  # absent or damaged: hash again
    return files, file
