"""Listing folders: what is a picture, what is ignored, and that nothing below is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.data.check import inspect
from trainer.data.layout import escapes, find_folders, read_store
from trainer.parameters.detection import parse

TYPES = (".jpg", ".png")


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_suffixes_decide_in_any_case(tmp_path: Path) -> None:
    """Cameras write .JPG, Windows tools .XML."""
    touch(tmp_path / "i/A.JPG", tmp_path / "i/b.Png", tmp_path / "i/c.gif", tmp_path / "x/A.XML")
    store = read_store(tmp_path / "i", tmp_path / "x", TYPES)
    assert (set(store.pictures), set(store.annotations), set(store.ignored)) == ({"A", "b"}, {"A"}, {"c"})


def test_hidden_and_system_files_are_nothing(tmp_path: Path) -> None:
    """Finder and Explorer leave their own files everywhere, also ._a.jpg and ._a.xml."""
    touch(*(tmp_path / "i" / name for name in (".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini")))
    touch(tmp_path / "x/._a.xml")
    (tmp_path / "i/deeper.jpg").mkdir()
    store = read_store(tmp_path / "i", tmp_path / "x", TYPES)
    assert not store.stems
    assert not store.ignored


def test_one_folder_may_hold_both(tmp_path: Path) -> None:
    """XML beside its picture is an annotation, not an ignored file."""
    touch(tmp_path / "a.jpg", tmp_path / "a.xml", tmp_path / "notes.md")
    store = read_store(tmp_path, tmp_path, TYPES)
    assert (set(store.pictures), set(store.annotations), set(store.ignored)) == ({"a"}, {"a"}, {"notes"})


def test_an_item_finds_a_decomposed_name(tmp_path: Path) -> None:
    """The list says é in one character, the folder in two."""
    touch(tmp_path / "e\u0301.jpg", tmp_path / "e\u0301.xml")
    item = read_store(tmp_path, tmp_path, TYPES).item("\u00e9")
    assert len(item.pictures) == len(item.annotations) == 1


def test_a_file_of_the_right_name_is_no_folder(tmp_path: Path) -> None:
    """A file called Images is not the pictures."""
    touch(tmp_path / "Images")
    (tmp_path / "xml").mkdir()
    pictures, annotations, findings = find_folders(tmp_path)
    assert (pictures, annotations, findings) == (None, tmp_path / "xml", [])


def test_escaping_follows_links(tmp_path: Path) -> None:
    """What matters is where a path ends."""
    root = tmp_path / "root"
    touch(tmp_path / "outside.jpg", root / "inside.jpg")
    (root / "out").symlink_to(tmp_path / "outside.jpg")
    (root / "in").symlink_to(root / "inside.jpg")
    assert escapes(root / "out", root)
    assert escapes(root / ".." / "outside.jpg", root)
    assert not escapes(root / "in", root)


def test_a_linked_dataset_folder_is_the_dataset(sound: Any, tmp_path: Path) -> None:
    """The engine may hand the artifact over as a link: its target is the root then, and no file escapes."""
    link = tmp_path / "datain"
    link.symlink_to(sound.root, target_is_directory=True)
    assert inspect(link, parse({})).report.ok


def test_a_linked_picture_folder_outside_escapes(sound: Any) -> None:
    """One link for all pictures is refused like a link for each."""
    elsewhere = sound.root.parent / "elsewhere"
    (sound.root / "JPEGImages").rename(elsewhere)
    (sound.root / "JPEGImages").symlink_to(elsewhere, target_is_directory=True)
    codes = {finding.code for finding in inspect(sound.root, parse({})).report.errors}
    assert "path-escape" in codes
