"""The pictures of a folder and of the archives in it, one after the other, always in the same order.

Nothing is unpacked to disk: what an archive calls its members is a name and never becomes a path. All the
same a member that would lie outside the archive's folder, or is a link, is listed as bad and not read: who
packed it meant something else than a picture. An archive that grows beyond measure is given up.
"""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from trainer.data.pictures import MAX_PICTURE_BYTES
from trainer.errors import InputError
from trainer.inference.pictures import PictureError

MOST_GROWTH = 200
"""Times an archive may grow when it is unpacked: pictures hardly shrink by packing, bombs do by thousands."""

FREE_GROWTH = 2**30
"""Bytes that any archive may unpack to, however small it is."""

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # zipfile's word for a password, and its NotImplementedError for an unknown method
)


@dataclass(frozen=True, slots=True)
class Source:
    """A picture's name, relative to the data, and how to get at its bytes.

    ``read`` raises ``PictureError``; it must be called before the next source is asked for, if at all.
    """

    name: str
    read: Callable[[], bytes]


def check_place(datain: Path) -> None:
    """Raises ``InputError`` where ``datain`` is neither a folder nor an archive."""
    if not (datain.is_dir() or (datain.is_file() and is_archive(datain.name))):
        raise InputError(f"{datain} is no folder and no zip or tar archive: name the pictures' folder")


def pictures(datain: Path, image_types: Collection[str]) -> Iterator[Source]:
    """Every picture below ``datain`` (a folder or one archive), folders and names in alphabetical order."""
    if datain.is_file():
        yield from _archived(datain, datain.name, image_types)
    else:
        yield from _inside(datain, datain.resolve(), "", image_types)


def count(datain: Path, image_types: Collection[str]) -> int | None:
    """How many pictures there are, without reading them; None where a tar would have to be read for it."""
    total = 0
    for path in [datain] if datain.is_file() else _files(datain):
        if _is_tar(path.name):
            return None
        if path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    total += sum(_wanted(name, image_types) for name in archive.namelist())
            except _DAMAGE:
                total += 1
        else:
            total += _wanted(path.name, image_types)
    return total


def is_archive(name: str) -> bool:
    """Whether a file is opened to look for pictures in it."""
    return name.lower().endswith(".zip") or _is_tar(name)


def printable(name: str) -> str:
    """A file name as text; bytes that are no UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_tar(name: str) -> bool:
    return name.lower().endswith(TAR_SUFFIXES)


def _wanted(name: str, image_types: Collection[str]) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))  # zips of Windows
    return path.suffix.lower() in image_types and not path.name.startswith(".") and not name.endswith("/")


def _files(folder: Path) -> Iterator[Path]:
    """Files below ``folder`` in order; links to folders are not followed, hidden names not looked at."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _inside(folder: Path, root: Path, prefix: str, image_types: Collection[str]) -> Iterator[Source]:
    for path in _files(folder):
        name = prefix + printable(path.relative_to(folder).as_posix())
        if is_archive(path.name):
            yield from _archived(path, name, image_types)
        elif _wanted(path.name, image_types):
            yield Source(name, partial(_read_file, path, root))


def _read_file(path: Path, root: Path) -> bytes:
    if not path.resolve().is_relative_to(root):
        raise PictureError("path-escape", "is a link out of the data: put the file itself here")
    try:
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise PictureError("picture-unreadable", f"cannot be read: {error.strerror or error}") from None


def _check_size(size: int) -> None:
    if size > MAX_PICTURE_BYTES:
        raise PictureError("picture-too-large", f"{size:,} bytes, at most {MAX_PICTURE_BYTES:,}")


def _archived(path: Path, name: str, image_types: Collection[str]) -> Iterator[Source]:
    """The pictures of an archive, and the archive itself as a fault where it breaks off."""
    members = _zipped if path.suffix.lower() == ".zip" else _tarred
    try:
        yield from members(path, name, image_types)
    except _ArchiveBombError as error:
        yield Source(name, partial(_refuse, "archive-bomb", str(error)))
    except _DAMAGE as error:
        yield Source(name, partial(_raise, "archive-unreadable", error))


class _ArchiveBombError(Exception):
    """What an archive holds is out of all proportion to its size."""


class _Growth:
    """Adds up what the members of an archive say they unpack to; neither format gives more than they say."""

    def __init__(self, path: Path) -> None:
        self._limit = max(FREE_GROWTH, MOST_GROWTH * path.stat().st_size)
        self._total = 0

    def add(self, size: int) -> None:
        """Raises ``_ArchiveBombError`` where this member is too much."""
        self._total += size
        if self._total > self._limit:
            raise _ArchiveBombError(
                f"would unpack to more than {self._limit:,} bytes: pack the pictures as they are"
            )


def _raise(code: str, error: Exception) -> bytes:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise PictureError(code, f"cannot be read: {reason}")


def _refuse(code: str, message: str) -> bytes:
    raise PictureError(code, message)


def _escapes(name: str) -> bool:
    """Whether a member's name leads out of the folder it would be unpacked to."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)


def _zipped(path: Path, name: str, image_types: Collection[str]) -> Iterator[Source]:
    growth = _Growth(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not _wanted(member.filename, image_types):
                continue
            place = f"{name}/{printable(member.filename)}"
            if fault := _fault(member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16)):
                yield Source(place, partial(_refuse, "path-escape", fault))
                continue
            growth.add(member.file_size)
            yield Source(place, partial(_read_zipped, archive, member))


def _fault(name: str, *, is_link: bool) -> str:
    if is_link:
        return "is a link: pack the file itself"
    return "leads out of the archive: pack it under a name of its own" if _escapes(name) else ""


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    _check_size(member.file_size)
    try:
        with archive.open(member) as stream:
            content = stream.read(MAX_PICTURE_BYTES + 1)  # what the archive says of sizes may be a lie
    except _DAMAGE as error:
        return _raise("picture-unreadable", error)
    _check_size(len(content))
    return content


def _tarred(path: Path, name: str, image_types: Collection[str]) -> Iterator[Source]:
    growth = _Growth(path)
    with tarfile.open(path, "r|*") as archive:
        while (member := archive.next()) is not None:
            growth.add(member.size)  # what is not wanted is unpacked all the same on the way to the next
            is_link = member.issym() or member.islnk()
            if (member.isfile() or is_link) and _wanted(member.name, image_types):
                place = f"{name}/{printable(member.name)}"
                if fault := _fault(member.name, is_link=is_link):
                    yield Source(place, partial(_refuse, "path-escape", fault))
                else:
                    yield Source(place, partial(_read_tarred, archive, member))
            archive.members = []  # type: ignore[attr-defined]  # tarfile would remember every member it has passed


def _read_tarred(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    _check_size(member.size)
    stream = archive.extractfile(member)
    assert stream is not None
    try:
        with stream:
            return stream.read()
    except _DAMAGE as error:
        return _raise("picture-unreadable", error)
