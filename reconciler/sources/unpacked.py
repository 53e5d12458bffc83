"""Archives and downloads in `.corespec/cache/<sha256>/`: made once, sealed, made again where lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from reconciler.clock import Clock
from reconciler.dataset import DatasetManifest, file_sha256, manifest
from reconciler.errors import DatasetError
from reconciler.files import write_atomically
from reconciler.sources.archive import SUFFIXES, is_archive, unpack
from reconciler.sources.download import download, shown
from reconciler.sources.names import Refused, safe_parts


def archive_manifest(archive: Path, cache: Path, clock: Clock) -> DatasetManifest:
    """The content of an archive of this machine. Raises DatasetError."""
    sha256 = file_sha256(archive, cache, clock)

    def make(target: Path) -> None:
        unpack(archive, target, str(archive))
        if file_sha256(archive) != sha256:
            raise DatasetError(
                f"The archive {archive} changed while it was unpacked.",
                remedy="Run again once nothing writes to it.",
            )

    return _sealed(cache / sha256, make, cache, clock)


def download_manifest(url: str, sha256: str, cache: Path, clock: Clock) -> DatasetManifest:
    """The content of the archive or file behind an https URL. Raises DatasetError, TransientError."""
    place = cache / sha256
    path = unquote(urlsplit(url).path)

    def make(target: Path) -> None:
        suffix = next((end for end in SUFFIXES if path.lower().endswith(end)), "")
        file = place / f"download{suffix}"
        if not file.exists() or file_sha256(file) != sha256:
            download(url, sha256, file, clock)
        if is_archive(path):
            unpack(file, target, shown(url))
            file.unlink()
        else:
            target.mkdir(parents=True)
            file.replace(target / _file_name(path))

    return _sealed(place, make, cache, clock)


def _file_name(path: str) -> str:
    try:
        return (safe_parts(PurePosixPath(path).name) or ("file",))[-1]
    except Refused:
        return "file"


def _sealed(place: Path, make: Callable[[Path], None], cache: Path, clock: Clock) -> DatasetManifest:
    """The manifest of `place`/content, which `make` fills anew where it is not what it was."""
    content, seal, unfinished = place / "content", place / "fingerprint", place / "unfinished"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "lock"):
            if content.is_dir() and seal.exists():
                try:
                    found = manifest(content, cache, clock)
                except DatasetError:
                    found = None
                if found and found.fingerprint == seal.read_text():
                    return found
            shutil.rmtree(content, ignore_errors=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.rmtree(place / "unfinished.around", ignore_errors=True)
            make(unfinished)
            unfinished.replace(content)
            found = manifest(content, cache, clock)
            write_atomically(seal, found.fingerprint.encode())
            return found
    except OSError as error:
        raise DatasetError(
            f"The cache folder {place} cannot be used: {error.strerror or error}",
            remedy="Check its permissions and the free space of the disk.",
        ) from None
