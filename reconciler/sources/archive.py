"""Unpack .zip, .tar, .tar.gz and .tgz into an empty folder, trusting nothing that the archive says.

Only plain files are written, each once, below the folder. A name that leads out of it, a link of any kind, a
device, an encrypted or damaged member, one name twice, or more bytes than agreed refuse the whole archive.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from reconciler.dataset import IGNORED_NAMES
from reconciler.errors import DatasetError
from reconciler.sources.names import Refused, safe_parts

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_GIB = 1 << 30
_CHUNK = 1 << 18
#: Names and headers of a tar are read whole; no honest one is longer.
_LONGEST_READ = 1 << 24
#: Bytes of headers and padding of one member of a tar, amply.
_HEADERS = 4096
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OverflowError,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,  # zipfile: a way of packing that it does not know
    RuntimeError,  # zipfile: a password is wanted
    ValueError,  # tarfile, zipfile: numbers that are none
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may become. The ratio counts from `free` bytes on: small ones may pack well."""

    bytes: int = 64 * _GIB
    files: int = 1_000_000
    ratio: int = 200
    free: int = _GIB

    def most(self, packed: int) -> int:
        """Bytes that an archive of `packed` bytes may hold."""
        return min(self.bytes, max(self.free, packed * self.ratio))


class _Member(Protocol):
    """One thing in an archive."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """`file`, `folder`, or in words what is refused."""
        ...

    @property
    def open(self) -> Callable[[], IO[bytes] | None]: ...


def is_archive(name: str) -> bool:
    """Whether a path or URL path ends like an archive that can be unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, target: Path, shown: str, limits: Limits | None = None) -> None:
    """Write the files of `archive` below the empty folder `target`; one folder around everything is left out.

    `shown` names the archive in errors. Raises DatasetError; `target` holds rubbish then.
    """
    try:
        _unpack(archive, target, limits or Limits())
    except Refused as reason:
        raise _refused(shown, str(reason)) from None
    except _DAMAGED as error:
        raise _refused(shown, f"it is damaged or of an unknown form ({type(error).__name__})") from None
    except OSError as error:
        raise _refused(shown, error.strerror or str(error)) from None


def _refused(shown: str, why: str) -> DatasetError:
    return DatasetError(
        f"The archive {shown} cannot be used: {why}.",
        remedy="Pack the plain files again (no links, no passwords), or unpack it and name the folder.",
    )


def _unpack(archive: Path, target: Path, limits: Limits) -> None:
    packed = archive.stat().st_size
    budget = _Budget(limits.most(packed), limits.files)
    seen = _Names()
    target.mkdir(parents=True, exist_ok=True)
    read = _zip if archive.name.lower().endswith(".zip") else _tar
    with archive.open("rb") as stream:
        for member in read(stream, archive.name, budget):
            parts = safe_parts(member.name)
            if not parts or IGNORED_NAMES.intersection(parts):
                continue
            if member.kind not in {"file", "folder"}:
                raise Refused(f"{member.name!r} is {member.kind}")
            if member.kind == "folder":
                seen.folder(parts)
                continue
            seen.file(parts)
            budget.file()
            _write(member, target.joinpath(*parts), budget)
    if not seen.files:
        raise Refused("it holds no files")
    _lift(target)


def _write(member: _Member, path: Path, budget: _Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = member.open()
    if opened is None:
        raise Refused(f"{member.name!r} is no plain file")
    with opened as incoming, path.open("xb") as outgoing:
        while chunk := incoming.read(_CHUNK):
            budget.bytes(len(chunk))
            outgoing.write(chunk)


def _lift(target: Path) -> None:
    """Leave out one folder around everything: the archive of a folder is the same dataset as the folder."""
    inside = list(target.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        around = inside[0].rename(target.with_name(f"{target.name}.around"))
        for path in list(around.iterdir()):
            path.rename(target / path.name)
        around.rmdir()


class _Names:
    """What has been named so far; a file is named once, and is no folder."""

    def __init__(self) -> None:
        self.files: set[tuple[str, ...]] = set()
        self._folders: set[tuple[str, ...]] = set()

    def folder(self, parts: tuple[str, ...]) -> None:
        for end in range(len(parts), 0, -1):
            if parts[:end] in self.files:
                raise Refused(f"{'/'.join(parts[:end])!r} is a file and a folder")
            if parts[:end] in self._folders:
                return
            self._folders.add(parts[:end])

    def file(self, parts: tuple[str, ...]) -> None:
        if parts in self.files:
            raise Refused(f"{'/'.join(parts)!r} occurs twice")
        if parts in self._folders:
            raise Refused(f"{'/'.join(parts)!r} is a file and a folder")
        self.folder(parts[:-1])
        self.files.add(parts)


class _Budget:
    """Counts what really comes out; what an archive says about itself may be a lie."""

    def __init__(self, most_bytes: int, most_files: int) -> None:
        self._most_bytes, self._most_files = most_bytes, most_files
        self._bytes = self._files = 0

    def file(self) -> None:
        self._files += 1
        if self._files > self._most_files:
            raise Refused(f"it holds more than {self._most_files} files")

    def bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._most_bytes:
            raise Refused(f"it unpacks to more than {self._most_bytes / 1e6:.0f} MB")

    @property
    def longest(self) -> int:
        """Bytes of a tar within these limits, headers included."""
        return self._most_bytes + _HEADERS * self._most_files

    def entries(self, count: int) -> None:
        """Folders and links count too: an archive of a hundred million of them is no dataset."""
        if count > 2 * self._most_files:
            raise Refused(f"it holds more than {self._most_files} files")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: str
    open: Callable[[], IO[bytes] | None]


def _zip(stream: IO[bytes], _: str, budget: _Budget) -> Iterator[_Member]:
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        budget.entries(len(entries))
        for info in entries:
            yield _Entry(info.orig_filename, _zip_kind(info), partial(archive.open, info))


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if not info.filename:
        return "without a name"
    mode = info.external_attr >> 16
    if info.flag_bits & 0x1:
        return "encrypted"
    if info.is_dir():
        return "folder"
    if stat.S_IFMT(mode) in {0, stat.S_IFREG}:
        return "file"
    return "a link" if stat.S_ISLNK(mode) else "no plain file"


def _tar(stream: IO[bytes], name: str, budget: _Budget) -> Iterator[_Member]:
    packed = name.lower().endswith(("gz", "tgz"))
    source: IO[bytes] = gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[assignment]
    careful = _Careful(source, budget.longest)
    with tarfile.open(fileobj=careful, mode="r:") as archive:  # type: ignore[call-overload]
        count = 0
        while (member := archive.next()) is not None:
            count += 1
            budget.entries(count)
            yield _Entry(member.name, _tar_kind(member), partial(archive.extractfile, member))
            archive.members.clear()  # it would remember every member
        # A damaged header in the middle ends tarfile's reading without a word; an honest end is zeros.
        careful.seek(archive.offset)
        if careful.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise Refused("it is damaged or was cut off")
    while rest := source.read(_CHUNK):  # gzip's checksum stands at the very end
        budget.bytes(len(rest))


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    if member.issparse():
        return "a file with holes"
    if member.isreg():
        return "file"
    return "a link" if member.issym() or member.islnk() else "no plain file"


class _Careful:
    """A stream for tarfile that gives no part of absurd length: headers are read whole into memory."""

    def __init__(self, stream: IO[bytes], longest: int) -> None:
        self._stream, self._longest = stream, longest
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        if size > _LONGEST_READ:
            raise Refused("a header is longer than any honest one")
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        if offset > self._longest:  # to go there, gzip would have to unpack all that lies before
            raise Refused("it unpacks to more than was agreed")
        return self._stream.seek(offset)
