"""An archive is taken at its bytes, never at its word: nothing leaves the folder, and a lie refuses all."""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.dataset import manifest
from reconciler.errors import DatasetError
from reconciler.sources.archive import Limits, unpack

FILES = {"JPEGImages/a b.jpg": b"a" * 3000, "JPEGImages/ü.jpg": b"", "train.txt": b"a b\n"}
FORMS = ("data.zip", "data.tar", "data.tar.gz", "data.tgz")


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method  # its constructor would mend the name
            archive.writestr(info, content)
    return path


def tarred(path: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def packed(path: Path, files: dict[str, bytes]) -> Path:
    return (zipped if path.suffix == ".zip" else tarred)(path, files)


def read(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("form", FORMS)
def test_the_archive_of_a_folder_is_the_folder(form: str, tmp_path: Path) -> None:
    """Same files, same fingerprint; with a folder around everything, with `./`, and with desktop litter."""
    for path, content in FILES.items():
        (tmp_path / "plain" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plain" / path).write_bytes(content)
    wanted = manifest(tmp_path / "plain").fingerprint
    for index, prefix in enumerate(("", "./", "around/")):
        (tmp_path / str(index)).mkdir()
        named = {prefix + path: content for path, content in FILES.items()}
        archive = packed(
            tmp_path / str(index) / form, named | {"__MACOSX/x": b"x", prefix + ".DS_Store": b""}
        )
        target = tmp_path / str(index) / "out"
        unpack(archive, target, form)
        assert read(target) == FILES
        assert manifest(target).fingerprint == wanted


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../outside", "leads out"),
        ("a/../../outside", "leads out"),
        ("/outside", "absolute"),
        ("C:/outside", "absolute"),
        ("..\\outside", "portable"),
    ],
)
def test_a_name_that_leads_out_refuses_the_archive(form: str, name: str, why: str, tmp_path: Path) -> None:
    """Whatever stands before it; and nothing lies outside afterwards."""
    archive = packed(tmp_path / form, {"fine": b"x", name: b"evil"})
    with pytest.raises(DatasetError, match=why):
        unpack(archive, tmp_path / "in" / "out", form)
    assert [p for p in tmp_path.rglob("*outside*") if p.read_bytes() == b"evil"] == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "no plain file"),
        (tarfile.BLKTYPE, "no plain file"),
        (tarfile.FIFOTYPE, "no plain file"),
    ],
)
def test_only_plain_files_in_a_tar(kind: bytes, why: str, tmp_path: Path) -> None:
    """A link may be followed by a file that goes through it; so there are none."""
    member = tarfile.TarInfo("thing")
    member.type, member.linkname = kind, "../../etc"
    with pytest.raises(DatasetError, match=why):
        unpack(tarred(tmp_path / "a.tar", {"fine": b"x"}, member), tmp_path / "out", "a.tar")
    assert not (tmp_path / "out" / "thing").exists()


@pytest.mark.parametrize(("mode", "why"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "no plain file")])
def test_only_plain_files_in_a_zip(mode: int, why: str, tmp_path: Path) -> None:
    """Zip keeps links as files with a mode."""
    info = zipfile.ZipInfo("thing")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match=why):
        unpack(tmp_path / "a.zip", tmp_path / "out", "a.zip")


@pytest.mark.parametrize("form", ["a.zip", "a.tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(form: str, tmp_path: Path) -> None:
    """Two readers of such an archive may see two datasets; the same for a file that is a folder too."""
    if form == "a.zip":
        with zipfile.ZipFile(tmp_path / form, "w") as archive:
            archive.writestr("x", "1")
            archive.writestr("./x", "2")
    else:
        twin = tarfile.TarInfo("./x")
        twin.size = 1
        tarred(tmp_path / form, {"x": b"1"}, twin)
    with pytest.raises(DatasetError, match="twice"):
        unpack(tmp_path / form, tmp_path / "out", form)
    for index, order in enumerate(({"x": b"", "x/y": b""}, {"x/y": b"", "x": b""})):
        with pytest.raises(DatasetError, match="a file and a folder"):
            unpack(packed(tmp_path / form, order), tmp_path / str(index), form)


@pytest.mark.parametrize("form", ["a.zip", "a.tgz"])
def test_a_bomb_ends_at_the_limit(form: str, tmp_path: Path) -> None:
    """What comes out is counted; no more than one chunk beyond the limit is ever written."""
    archive = packed(tmp_path / form, {"zeros": bytes(8 << 20)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="more than"):
        unpack(archive, tmp_path / "out", form, Limits(ratio=10, free=1 << 20))
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*")) <= (1 << 20)


def test_a_header_of_absurd_length_is_not_read(tmp_path: Path) -> None:
    """tarfile reads extended headers whole into memory."""
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 32 << 20
    with gzip.open(tmp_path / "a.tgz", "wb", compresslevel=1) as stream:
        stream.write(member.tobuf(tarfile.USTAR_FORMAT) + bytes(32 << 20))
    with pytest.raises(DatasetError, match="honest"):
        unpack(tmp_path / "a.tgz", tmp_path / "out", "a.tgz")


def test_too_many_files(tmp_path: Path) -> None:
    """Their number is limited apart from their bytes."""
    archive = zipped(tmp_path / "a.zip", {str(index): b"" for index in range(5)})
    with pytest.raises(DatasetError, match="more than 4 files"):
        unpack(archive, tmp_path / "out", "a.zip", Limits(files=4))


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_that_was_cut_off_is_refused(form: str, tmp_path: Path) -> None:
    """At no place may half an archive pass for a whole one."""
    whole = packed(tmp_path / form, FILES).read_bytes()
    last = len(whole.rstrip(b"\0")) if form == "data.tar" else len(whole) - 1  # a tar ends in zeros
    for end in [*range(0, last, max(1, last // 40)), last - 1]:
        (tmp_path / form).write_bytes(whole[:end])
        with pytest.raises(DatasetError):
            unpack(tmp_path / form, tmp_path / f"out{end}", form)


def test_a_damaged_header_in_the_middle_of_a_tar_is_no_end(tmp_path: Path) -> None:
    """tarfile itself would stop there in silence."""
    content = bytearray(tarred(tmp_path / "a.tar", {"a": b"1" * 512, "b": b"2" * 512}).read_bytes())
    content[1024 + 148] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        unpack(tmp_path / "a.tar", tmp_path / "out", "a.tar")


def test_nothing_but_folders_is_no_dataset(tmp_path: Path) -> None:
    """An empty archive is a mistake."""
    with pytest.raises(DatasetError, match="no files"):
        unpack(zipped(tmp_path / "a.zip", {"folder/": b""}), tmp_path / "out", "a.zip")


def test_a_name_that_the_disk_refuses(tmp_path: Path) -> None:
    """The machine's reason, as an input error."""
    with pytest.raises(DatasetError, match="too long"):
        unpack(tarred(tmp_path / "a.tar", {"n" * 300: b""}), tmp_path / "out", "a.tar")


_NAMES = st.text(st.sampled_from("ab./\\:C\0ü\u202e "), min_size=1, max_size=12)
_PACKERS: list[Callable[[Path, dict[str, bytes]], Path]] = [zipped, tarred]


@settings(max_examples=150, deadline=None)
@given(files=st.dictionaries(_NAMES, st.binary(max_size=20), min_size=1, max_size=5), which=st.integers(0, 1))
def test_whatever_the_names_nothing_is_written_outside(files: dict[str, bytes], which: int) -> None:
    """Either the whole is refused, or each file lies below the folder with the content of one member."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        archive = _PACKERS[which](place / ("a.zip" if which == 0 else "a.tar"), files)
        before = set(place.rglob("*"))
        target = place / "deep" / "out"
        try:
            unpack(archive, target, "it")
        except DatasetError:
            pass
        else:
            assert set(read(target).values()) <= set(files.values())
        outside = {p for p in place.rglob("*") if p.is_file() and not p.is_relative_to(place / "deep")}
        assert outside <= before


@settings(max_examples=200, deadline=None)
@given(where=st.integers(0, 2000), bits=st.integers(1, 255), form=st.sampled_from(FORMS))
def test_a_damaged_byte_is_an_input_error_or_harmless(where: int, bits: int, form: str) -> None:
    """No stack trace, and contents that a checksum vouches for are right or refused."""
    with tempfile.TemporaryDirectory() as folder:
        archive = packed(Path(folder) / form, {name: content[:200] for name, content in FILES.items()})
        content = bytearray(archive.read_bytes())
        content[where % len(content)] ^= bits
        archive.write_bytes(content)
        with contextlib.suppress(DatasetError):
            unpack(archive, Path(folder) / "out", form)
            assert len(read(Path(folder) / "out")) <= len(FILES)
