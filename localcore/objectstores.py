"""Artifacts by URL: `ai://<secret>/<path>` below a folder or in an S3 bucket."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from localcore.errors import ObjectStoreError

_FICLONE = 0x40049409  # Linux: share the blocks of another file; the copy is then free and independent


class ObjectStore(Protocol):
    def download(self, path: str, target: Path) -> bool:
        """Bring a file or folder to `target`; False when there is nothing. Raises ObjectStoreError."""
        ...

    def upload(self, source: Path, path: str) -> None:
        """Store a file or folder. Raises ObjectStoreError."""
        ...


def copy_file(source: str, target: str) -> str:
    """Copy a file's content, sharing its blocks where the file system can."""
    with Path(source).open("rb") as reader, Path(target).open("wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1024 * 1024)
    return target


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder; links become what they point to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=copy_file, dirs_exist_ok=True)
    else:
        copy_file(str(source), str(target))


class DirectoryStore:
    """A folder as object store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _place(self, path: str) -> Path:
        parts = path.split("/")
        if not path or any(part in ("", ".", "..") for part in parts):
            raise ObjectStoreError(f"the path {path!r} is not a plain relative path")
        return self._root.joinpath(*parts)

    def download(self, path: str, target: Path) -> bool:
        source = self._place(path)
        if not source.exists():
            return False
        try:
            copy(source, target)
        except (OSError, shutil.Error) as error:
            raise ObjectStoreError(f"cannot read {source}: {error}") from error
        return True

    def upload(self, source: Path, path: str) -> None:
        """The whole artifact appears in one step, or not at all."""
        place = self._place(path)
        partial = place.with_name(f".{place.name}.partial")
        try:
            remove(partial)
            copy(source, partial)
            remove(place)
            partial.rename(place)
        except (OSError, shutil.Error) as error:
            raise ObjectStoreError(f"cannot write {place}: {error}") from error


def open_store(secret: Mapping[str, Any], objects: Path) -> ObjectStore:
    """The store an object-store secret describes: {name, type, …, data}. Raises ObjectStoreError."""
    kind = str(secret.get("type"))
    if kind == "directory":
        return DirectoryStore(objects / str(secret["name"]))
    if kind == "S3":
        from localcore.s3 import S3Store

        return S3Store(secret)
    message = (
        f"object store {secret.get('name')}: type {kind} is not served by the local AI Core (directory, S3)"
    )
    raise ObjectStoreError(message)


def split_url(url: str) -> tuple[str, str]:
    """(secret name, path) of an artifact URL. Raises ObjectStoreError for other schemes."""
    scheme, _, rest = url.partition("://")
    store, _, path = rest.partition("/")
    if scheme != "ai" or not store or not path:
        raise ObjectStoreError(f"artifact {url}: only ai://<object store>/<path> can be read here")
    return store, path


def is_archive(path: Path) -> bool:
    return tarfile.is_tarfile(path)


def unpack(path: Path) -> None:
    """Replace a tarball by what it holds.

    A folder, or the file itself when it holds just one (as Argo does).
    """
    folder = path.with_name(f".{path.name}.unpacked")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    path.unlink()
    members = list(folder.iterdir())
    if len(members) == 1:
        members[0].rename(path)
        folder.rmdir()
    else:
        folder.rename(path)


def pack(source: Path, target: Path) -> None:
    """A tar.gz of a file or folder under its own name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:gz") as archive:
        archive.add(source, arcname=source.name)


def protect(path: Path) -> None:
    """Take the right to write from a staged input: a container that writes into its input is a mistake."""
    for place in [path, *(path.rglob("*") if path.is_dir() else ())]:
        place.chmod(place.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def remove(path: Path) -> None:
    """Remove a file or folder, protected parts included; no error when it is not there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
