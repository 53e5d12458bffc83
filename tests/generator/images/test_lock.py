"""`images.lock.yaml`: written whole or not at all, sorted, and never losing what it held."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import GeneratorError, InputError
from generator.images.lock import LockState, compare, lock_text, read_lock, write_lock
from generator.spec.locks import LOCK_PATH, ImageLock
from generator.spec.parse import parse
from generator.spec.reader import read

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
DIGITS, WORDS = "docker.io/acme/digits:0.0.1", "docker.io/acme/words:1.2"

NAMES = st.from_regex(
    r"(docker\.io|localhost:5000|127\.0\.0\.1:8)/[a-z0-9]{1,9}:v[A-Za-z0-9_.-]{0,9}", fullmatch=True
)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


def test_a_project_without_a_lock_has_locked_nothing(tmp_path: Path) -> None:
    """The first push writes the first one."""
    assert read_lock(tmp_path) == {}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """As a file that people can review: sorted, one line for each image."""
    assert [entry.reference for entry in write_lock(tmp_path, {WORDS: TWO, DIGITS: ONE})] == [DIGITS, WORDS]
    assert read_lock(tmp_path) == {DIGITS: ONE, WORDS: TWO}
    text = (tmp_path / LOCK_PATH).read_text()
    assert text.startswith("# Written by `corespec image push`")
    assert text.endswith(f"images:\n  {DIGITS}: {ONE}\n  {WORDS}: {TWO}\n")


def test_other_images_stay_as_they_were(tmp_path: Path) -> None:
    """One environment's push keeps what another's has locked."""
    write_lock(tmp_path, {DIGITS: ONE})
    (changed,) = write_lock(tmp_path, {WORDS: TWO})
    assert (changed.reference, changed.locked, changed.found) == (WORDS, None, TWO)
    assert read_lock(tmp_path) == {DIGITS: ONE, WORDS: TWO}


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """A push that changed nothing leaves no dirty file behind, not even a new date."""
    write_lock(tmp_path, {DIGITS: ONE})
    before = (tmp_path / LOCK_PATH).stat()
    assert write_lock(tmp_path, {DIGITS: ONE}) == []
    after = (tmp_path / LOCK_PATH).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_lock_that_people_have_spoilt_is_never_overwritten(tmp_path: Path) -> None:
    """The finding has its place; the file keeps its content."""
    (tmp_path / LOCK_PATH).write_text(
        "apiVersion: corespec/v1\nkind: ImageLock\nimages: {docker.io/a/b:1: sha1:x}\n"
    )
    with pytest.raises(InputError, match=r"images\.lock\.yaml:3:"):
        write_lock(tmp_path, {DIGITS: ONE})
    assert "sha1:x" in (tmp_path / LOCK_PATH).read_text()


def test_a_write_that_fails_leaves_the_old_lock_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs nothing that was there."""
    write_lock(tmp_path, {DIGITS: ONE})

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(GeneratorError, match="No space left on device"):
        write_lock(tmp_path, {DIGITS: TWO})
    assert read_lock(tmp_path) == {DIGITS: ONE}
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_PATH]


def test_a_tag_is_the_same_new_or_moved() -> None:
    """Only what the registry was asked about is compared."""
    entries = compare({DIGITS: ONE, "docker.io/acme/gone:1": ONE}, {DIGITS: TWO, WORDS: TWO})
    assert [(entry.reference, entry.state) for entry in entries] == [
        (DIGITS, LockState.MOVED),
        (WORDS, LockState.NEW),
    ]
    assert compare({DIGITS: ONE}, {DIGITS: ONE})[0].state is LockState.SAME


@given(st.dictionaries(NAMES, DIGESTS, max_size=8))
def test_any_lock_survives_being_written(images: dict[str, str]) -> None:
    """Ports, dots and digits are never taken for anything but text, and order does not matter."""
    text = lock_text(reversed(images.items()))
    parsed = parse(read(LOCK_PATH, text.encode()), ImageLock)
    assert parsed.model is not None, parsed.diagnostics
    assert dict(parsed.model.images) == images
    assert text == lock_text(images.items())
