"""A dataset is its content: what changes it, what does not, and what cannot be one."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from reconciler.dataset import manifest
from reconciler.errors import DatasetError
from tests.reconciler.fake import FakeClock


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"a" * 3000)
    (folder / "images" / "b ü.png").write_bytes(b"b")
    (folder / "labels.txt").write_text("0\n")
    return folder


def test_two_folders_with_the_same_files_are_the_same_dataset(source: Path, tmp_path: Path) -> None:
    """Place, times and order do not matter; paths are POSIX and sorted."""
    other = tmp_path / "elsewhere" / "copy"
    shutil.copytree(source, other)
    os.utime(other / "labels.txt", (1, 1))
    first, second = manifest(source), manifest(other)
    assert first.fingerprint == second.fingerprint
    assert [file.path for file in first.files] == ["images/a.png", "images/b ü.png", "labels.txt"]
    assert first.bytes == 3003


def test_one_byte_is_another_dataset(source: Path) -> None:
    """And so are a new name and a new file."""
    seen = {manifest(source).fingerprint}
    (source / "labels.txt").write_text("1\n")
    seen.add(manifest(source).fingerprint)
    (source / "labels.txt").rename(source / "label.txt")
    seen.add(manifest(source).fingerprint)
    (source / "empty").write_text("")
    seen.add(manifest(source).fingerprint)
    assert len(seen) == 4


def test_what_desktops_leave_behind_is_no_data(source: Path) -> None:
    """A .DS_Store must not cause a training."""
    before = manifest(source).fingerprint
    (source / ".DS_Store").write_text("x")
    (source / "__MACOSX").mkdir()
    (source / "__MACOSX" / "y").write_text("y")
    assert manifest(source).fingerprint == before


def test_the_cache_saves_reading_and_its_loss_changes_nothing(source: Path, tmp_path: Path) -> None:
    """A remembered hash is used (a planted wrong one shows it); deleting or damaging it is harmless."""
    cache, clock = tmp_path / "cache", FakeClock()
    for path in source.rglob("*"):
        os.utime(path, (1000, 1000))
    honest = manifest(source, cache, clock)
    file = next((cache / "manifests").iterdir())
    planted = file.read_text().replace(honest.files[2].sha256, "0" * 64)
    file.write_text(planted)
    assert manifest(source, cache, clock).files[2].sha256 == "0" * 64
    file.write_text("{damaged")
    assert manifest(source, cache, clock) == honest
    file.unlink()
    assert manifest(source, cache, clock) == honest


def test_a_file_that_has_just_changed_is_not_remembered(source: Path, tmp_path: Path) -> None:
    """It may change again within the same clock tick, with the same size."""
    cache, clock = tmp_path / "cache", FakeClock()
    moment = clock.now().timestamp()
    for path in source.rglob("*"):
        os.utime(path, (moment, moment))
    first = manifest(source, cache, clock)
    (source / "labels.txt").write_text("9\n")
    os.utime(source / "labels.txt", (moment, moment))
    assert manifest(source, cache, clock).fingerprint != first.fingerprint


def test_a_changed_file_is_read_again_in_spite_of_the_cache(source: Path, tmp_path: Path) -> None:
    """Size, time or inode differ: the hash is not reused."""
    cache, clock = tmp_path / "cache", FakeClock()
    for path in source.rglob("*"):
        os.utime(path, (1000, 1000))
    first = manifest(source, cache, clock)
    (source / "labels.txt").write_text("5\n")
    assert manifest(source, cache, clock).fingerprint != first.fingerprint


@pytest.mark.parametrize("kind", ["absent", "file", "empty"])
def test_a_source_that_is_no_folder_of_files(tmp_path: Path, kind: str) -> None:
    """One clear error with the remedy."""
    source = tmp_path / "data"
    if kind == "file":
        source.write_text("x")
    elif kind == "empty":
        (source / "sub").mkdir(parents=True)
    with pytest.raises(DatasetError, match=str(source)) as raised:
        manifest(source)
    assert raised.value.exit_code == 2
    assert raised.value.remedy


def test_links_must_stay_inside(source: Path, tmp_path: Path) -> None:
    """A link to a file inside is its content; escaping, dangling and folder links are all named at once."""
    (source / "inside.txt").symlink_to("labels.txt")
    assert "inside.txt" in {file.path for file in manifest(source).files}
    (tmp_path / "secret").write_text("s")
    (source / "out").symlink_to(tmp_path / "secret")
    (source / "nowhere").symlink_to("gone")
    (source / "folder").symlink_to("images")
    with pytest.raises(DatasetError) as raised:
        manifest(source)
    for name in ("out: ", "nowhere: ", "folder: "):
        assert name in str(raised.value)


def test_unreadable_files_are_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission problems are input errors with the file's name; the mode alone would not stop root."""
    (source / "labels.txt").chmod(0)
    if os.geteuid() == 0:
        plain = Path.open

        def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.name == "labels.txt":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return plain(path, *arguments, **options)

        monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(DatasetError, match=r"labels\.txt"):
        manifest(source)


def test_pipes_and_bad_names_are_named(source: Path) -> None:
    """Nothing that is not a plain file with a name in UTF-8 can be uploaded."""
    os.mkfifo(source / "pipe")
    (Path(os.fsdecode(os.fsencode(source) + b"/bad\xff"))).write_text("x")
    with pytest.raises(DatasetError) as raised:
        manifest(source)
    assert "pipe: not a plain file" in str(raised.value)
    assert "not valid UTF-8" in str(raised.value)
