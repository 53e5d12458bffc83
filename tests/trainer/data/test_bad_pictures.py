"""Every kind of faulty picture is named with its file and its stable code, before any training."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trainer.data.check import Inspection, inspect
from trainer.data.findings import CODES, Finding
from trainer.parameters.detection import parse

Break = Callable[[Any], None]


def look(folder: Any, **values: str) -> Inspection:
    return inspect(folder.root, parse(values))


def one(findings: tuple[Finding, ...], code: str) -> Finding:
    """The single finding with ``code``; there may be others."""
    found = [finding for finding in findings if finding.code == code]
    assert len(found) == 1, [str(finding) for finding in findings]
    return found[0]


def cut_off(folder: Any) -> None:
    path = folder.root / "JPEGImages/a.jpg"
    path.write_bytes(path.read_bytes()[:-200])


def huge_png(path: Path, width: int = 32_000, height: int = 32_000) -> None:
    """A PNG that claims a gigapixel or more in 60 bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""))


def bomb(folder: Any) -> None:
    folder.root.joinpath("JPEGImages/a.jpg").unlink()
    huge_png(folder.root / "JPEGImages/a.png")


def rotated(folder: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", folder.size).save(folder.root / "JPEGImages/a.jpg", exif=exif)


def link_out(folder: Any) -> None:
    outside = folder.root.parent / "outside.jpg"
    (folder.root / "JPEGImages/a.jpg").rename(outside)
    (folder.root / "JPEGImages/a.jpg").symlink_to(outside)


def boxes(*rows: Any) -> Break:
    return lambda folder: folder.annotation("a", rows)


def xml(text: str) -> Break:
    return lambda folder: folder.xml("a", text)


def write(path: str, content: bytes) -> Break:
    return lambda folder: (folder.root / path).write_bytes(content)


def remove(path: str) -> Break:
    return lambda folder: (folder.root / path).unlink()


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation>&x;</annotation>'
PICTURE, XML = "JPEGImages/a.jpg", "Annotations/a.xml"

FAULTS: list[tuple[str, str, int, Break]] = [
    ("picture-unreadable", PICTURE, 0, cut_off),
    ("picture-unreadable", PICTURE, 0, write(PICTURE, b"")),
    ("picture-unreadable", PICTURE, 0, write(PICTURE, b"GIF89a no jpeg")),
    ("picture-too-large", "JPEGImages/a.png", 0, bomb),
    ("picture-orientation", PICTURE, 0, rotated),
    ("picture-missing", "ImageSets/train.txt", 1, remove(PICTURE)),
    ("annotation-missing", PICTURE, 0, remove(XML)),
    ("annotation-malformed", XML, 3, xml("<annotation>\n<size>\n</annotation>")),
    ("annotation-malformed", XML, 1, xml("")),
    ("annotation-malformed", XML, 0, write(XML, b'<?xml version="1.0" encoding="klingon"?><annotation/>')),
    ("annotation-unsafe", XML, 0, xml(ENTITIES)),
    ("annotation-unsafe", XML, 0, xml(EXTERNAL)),
    ("annotation-too-large", XML, 0, write(XML, b" " * (8 * 2**20 + 1))),
    ("no-boxes", XML, 0, boxes()),
    ("box-value", XML, 3, boxes(("a", "left", 2, 9, 9))),
    ("box-value", XML, 3, boxes(("a", "nan", 2, 9, 9))),
    ("box-value", XML, 1, xml("<annotation><object><name>a</name></object></annotation>")),
    ("box-degenerate", XML, 3, boxes(("a", 5, 5, 5, 9))),
    ("box-swapped", XML, 4, boxes(("a", 5, 5, 9, 9), ("a", 5, 9, 9, 5))),
    ("box-outside", XML, 3, boxes(("a", 5, 5, 66, 9))),
    ("box-outside", XML, 3, boxes(("a", -1, 5, 9, 9))),
    ("box-outside", XML, 3, boxes(("a", 65, 5, 66, 9))),
    ("class-missing", XML, 3, boxes(("", 5, 5, 9, 9))),
    ("picture-size", XML, 0, lambda folder: folder.annotation("a", size=(48, 64))),
    ("duplicate-stem", PICTURE, 0, lambda folder: folder.picture("a", ".png")),
]


@pytest.mark.parametrize(("code", "file", "line", "damage"), FAULTS)
def test_a_faulty_picture_refuses_the_dataset_and_is_named(
    sound: Any, code: str, file: str, line: int, damage: Break
) -> None:
    """bad_data=reject: one error with file, line and code, and no dataset to train on."""
    damage(sound)
    inspection = look(sound)
    finding = one(inspection.report.errors, code)
    assert (finding.file, finding.line) == (file, line)
    assert inspection.dataset is None
    assert not inspection.report.ok


@pytest.mark.parametrize(("code", "file", "line", "damage"), FAULTS)
def test_skip_leaves_the_faulty_picture_out(
    sound: Any, code: str, file: str, line: int, damage: Break
) -> None:
    """bad_data=skip: the finding is a warning, the picture is counted as left out, the rest is used."""
    damage(sound)
    inspection = look(sound, bad_data="skip")
    assert one(inspection.report.warnings, code).file == file
    assert inspection.dataset is not None
    assert [picture.stem for picture in inspection.dataset.splits["train"]] == ["b", "c", "d"]
    assert inspection.report.left_out == 1


def test_every_fault_of_every_file_is_in_one_report(sound: Any) -> None:
    """Three broken files and two faults in one of them give four errors in one run."""
    cut_off(sound)
    sound.annotation("b", ())
    sound.annotation("e", (("a", 9, 9, 9, 9), ("a", 5, 5, 99, 9)))
    found = {(finding.file, finding.code) for finding in look(sound).report.errors}
    assert found >= {
        ("JPEGImages/a.jpg", "picture-unreadable"),
        ("Annotations/b.xml", "no-boxes"),
        ("Annotations/e.xml", "box-degenerate"),
        ("Annotations/e.xml", "box-outside"),
    }


def test_unknown_class_is_refused_only_where_names_are_given(sound: Any) -> None:
    """class_names closes the list; without it, names are collected."""
    assert look(sound).report.ok
    errors = look(sound, class_names='["b"]').report.errors
    assert {finding.code for finding in errors} == {"class-unknown", "split-empty"}


def test_a_link_out_of_the_dataset_is_refused(sound: Any) -> None:
    """An artifact must not read what lies beside it on the machine."""
    try:
        link_out(sound)
    except OSError:
        pytest.skip("this file system has no symbolic links")
    assert one(look(sound).report.errors, "path-escape").file == PICTURE


def test_a_link_within_the_dataset_is_fine(sound: Any) -> None:
    """Linked pictures are common; only the way out is closed."""
    (sound.root / "JPEGImages/a.jpg").rename(sound.root / "real.jpg")
    (sound.root / "JPEGImages/a.jpg").symlink_to(sound.root / "real.jpg")
    assert look(sound).report.ok


def test_a_file_without_read_permission_is_named(sound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for a mode bit or a disk error (raised by hand: root may read everything)."""
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "a.jpg":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    finding = one(look(sound).report.errors, "picture-unreadable")
    assert (finding.file, finding.message) == (PICTURE, "cannot be read: Permission denied")


def test_wrong_suffix_is_a_note_and_the_picture_is_used(sound: Any) -> None:
    """A PNG called .jpg decodes: worth a warning, not a refusal."""
    Image.new("RGB", sound.size).save(sound.root / PICTURE, format="PNG")
    report = look(sound).report
    assert report.ok
    assert one(report.warnings, "picture-suffix").file == PICTURE


def test_a_picture_of_no_listed_type_is_named_as_the_remedy(sound: Any) -> None:
    """The picture exists, but image_types leaves it out: the message says so."""
    (sound.root / PICTURE).rename(sound.root / "JPEGImages/a.bmp")
    report = look(sound).report
    assert "a.bmp is there, add its suffix to image_types" in one(report.errors, "picture-missing").message
    assert one(report.warnings, "file-ignored").file == "JPEGImages/a.bmp"


def test_spaces_and_unicode_in_names_are_fine(voc: Any) -> None:
    """Names are text; Macs write them decomposed, lists often composed."""
    voc.pair("Zähler Straße 1", "メーター", "e\u0301tage", "x")
    voc.split("train", ["Zähler Straße 1", "メーター.jpg", "\u00e9tage"])
    voc.split("val", ["x"])
    inspection = look(voc, test="")
    assert inspection.dataset is not None
    assert len(inspection.dataset.splits["train"]) == 3


def test_every_code_is_explained_and_documented() -> None:
    """A code in a report can be looked up in docs/data.md."""
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    assert [code for code, (_, text) in CODES.items() if not text or f"`{code}`" not in page] == []
