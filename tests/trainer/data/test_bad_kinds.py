"""Bad input of every kind: named in the report or refused with its reason; no training falls over it.

Every kind spoils picture ``a`` of a sound dataset, or the dataset itself.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.test_bad_pictures import huge_png
from trainer.__main__ import main
from trainer.batch.sources import pictures as archived_pictures
from trainer.data.check import Inspection, inspect
from trainer.data.records import Picture
from trainer.inference.letterbox import Letterbox
from trainer.inference.pictures import PictureError
from trainer.parameters.detection import parse

Spoil = Callable[[Any], None]
Outcome = Literal["refused", "structure", "noted", "used"]

PICTURE, XML, LABELS, COCO = "JPEGImages/a.jpg", "Annotations/a.xml", "labels/a.txt", "instances.json"


@dataclass(frozen=True)
class Kind:
    """``refused``: picture ``a`` is; ``structure``: the dataset is, whatever bad_data says; ``noted``: used,
    and said under ``code``; ``used``: nothing is said.
    """

    name: str
    outcome: Outcome
    code: str
    spoil: Spoil
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """Named in front where it is not Pascal VOC."""
        before, colon, _ = self.name.partition(": ")
        return before.lower() if colon else "voc"


def write(path: str, content: bytes | str) -> Spoil:
    def spoil(folder: Any) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder.root / path).write_bytes(data)

    return spoil


def remove(path: str) -> Spoil:
    return lambda folder: (folder.root / path).unlink()


def cut(path: str) -> Spoil:
    return lambda folder: (folder.root / path).write_bytes((folder.root / path).read_bytes()[:-150])


def pixels(mode: str, form: str, suffix: str = ".jpg", **how: Any) -> Spoil:
    """Picture ``a`` in another mode or format."""

    def spoil(folder: Any) -> None:
        (folder.root / PICTURE).unlink()
        noise = np.random.default_rng(5).integers(0, 255, (folder.size[1], folder.size[0], 3), np.uint8)
        picture = Image.fromarray(noise)
        picture = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
        picture.save(folder.root / f"JPEGImages/a{suffix}", format=form, **how)

    return spoil


def sized(width: int, height: int, box: tuple[int, int, int, int]) -> Spoil:
    def spoil(folder: Any) -> None:
        folder.picture("a", size=(width, height))
        folder.annotation("a", (("a", *box),), size=(width, height))

    return spoil


def damaged_checksum(folder: Any) -> None:
    pixels("RGB", "PNG", ".png")(folder)
    path = folder.root / "JPEGImages/a.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def claimed_size(side: int) -> Spoil:
    """A PNG of a few bytes whose header claims more pixels than memory has."""

    def spoil(folder: Any) -> None:
        (folder.root / PICTURE).unlink()
        huge_png(folder.root / "JPEGImages/a.png", side, side)

    return spoil


def renamed(stem: str, suffix: str = ".jpg") -> Spoil:
    def spoil(folder: Any) -> None:
        (folder.root / PICTURE).rename(folder.root / f"JPEGImages/{stem}{suffix}")
        (folder.root / XML).rename(folder.root / f"Annotations/{stem}.xml")
        folder.split("train", [stem, "b", "c", "d"])

    return spoil


def linked(target: str) -> Spoil:
    def spoil(folder: Any) -> None:
        path = folder.root / PICTURE
        path.rename(folder.root.parent / "outside.jpg")
        path.symlink_to(target)

    return spoil


def pipe(folder: Any) -> None:
    (folder.root / PICTURE).unlink()
    os.mkfifo(folder.root / PICTURE)


def directory(folder: Any) -> None:
    (folder.root / PICTURE).unlink()
    (folder.root / PICTURE).mkdir()


def box(*corners: float | str, label: str = "a") -> Spoil:
    return lambda folder: folder.annotation("a", ((label, *corners),))


def xml(text: str) -> Spoil:
    return lambda folder: folder.xml("a", text)


def twin(folder: Any) -> None:
    (folder.root / "JPEGImages/e.jpg").write_bytes((folder.root / PICTURE).read_bytes())


def coco(change: Callable[[dict[str, Any]], None]) -> Spoil:
    def spoil(folder: Any) -> None:
        path = folder.root / COCO
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document), encoding="utf-8")

    return spoil


def of_a(key: str, value: object) -> Spoil:
    """The annotation of picture ``a`` with another value."""
    return coco(lambda document: document["annotations"][0].update({key: value}))


def same_image_id(document: dict[str, Any]) -> None:
    document["images"].append({"id": 1, "file_name": "other.jpg"})


def same_annotation_id(document: dict[str, Any]) -> None:
    document["annotations"].append(dict(document["annotations"][0]))


def crowd(document: dict[str, Any]) -> None:
    document["annotations"].append({**document["annotations"][0], "id": 77, "iscrowd": 1})


def circle(folder: Any) -> None:
    (folder.root / "JPEGImages/again").symlink_to("..")


def image_of_a(key: str, value: object) -> Spoil:
    return coco(lambda document: document["images"][0].update({key: value}))


BOMB = "<!DOCTYPE a [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(9)
) + "]><annotation>&e8;</annotation>"  # fmt: skip
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation>&x;</annotation>'
EXIF = Image.Exif()
EXIF[0x0112] = 6
KLINGON = '<?xml version="1.0" encoding="klingon"?><annotation/>'
BOXLESS = "<annotation><object><name>a</name></object></annotation>"
ENDLESS = '{"images": 1, "categories": ' + "[" * 90_000
TIFF = {"image_types": '[".jpg", ".tif"]'}
NAMED = {"class_names": '["a"]'}
FRAMES = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
ANIMATED: Mapping[str, Any] = {"save_all": True, "append_images": FRAMES}

KINDS = [
    Kind("truncated JPEG", "refused", "picture-unreadable", cut(PICTURE)),
    Kind("empty file", "refused", "picture-unreadable", write(PICTURE, b"")),
    Kind("text called .jpg", "refused", "picture-unreadable", write(PICTURE, "no picture")),
    Kind("GIF called .jpg", "refused", "picture-unreadable", pixels("P", "GIF")),
    Kind("PNG with a wrong checksum", "refused", "picture-unreadable", damaged_checksum),
    Kind("PNG bomb", "refused", "picture-too-large", claimed_size(32_000)),
    Kind("50,000 pixels a side", "refused", "picture-too-large", claimed_size(50_000)),
    Kind("50,000 pixels wide", "used", "", sized(50_000, 20, (5, 5, 900, 15))),
    Kind("1x1", "refused", "box-degenerate", sized(1, 1, (1, 1, 1, 1))),
    Kind("4x4", "noted", "picture-tiny", sized(4, 4, (1, 1, 3, 3))),
    Kind("16 bits", "noted", "picture-converted", pixels("I;16", "PNG", ".png")),
    Kind("CMYK", "noted", "picture-converted", pixels("CMYK", "JPEG")),
    Kind("floating point", "noted", "picture-converted", pixels("F", "TIFF", ".tif"), TIFF),
    Kind("animated", "noted", "picture-animated", pixels("RGB", "PNG", ".png", **ANIMATED)),
    Kind("grey", "used", "", pixels("L", "JPEG")),
    Kind("palette", "used", "", pixels("P", "PNG", ".png")),
    Kind("transparent", "used", "", pixels("RGBA", "PNG", ".png")),
    Kind("one bit", "used", "", pixels("1", "PNG", ".png")),
    Kind("progressive JPEG", "used", "", pixels("RGB", "JPEG", progressive=True)),
    Kind("EXIF rotation", "refused", "picture-orientation", pixels("RGB", "JPEG", exif=EXIF)),
    Kind("PNG called .jpg", "noted", "picture-suffix", pixels("RGB", "PNG")),
    Kind("suffix of no image type", "refused", "picture-missing", renamed("a", ".bmp")),
    Kind("capital suffix", "used", "", renamed("a", ".JPG")),
    Kind("unicode in the name", "used", "", renamed("Zähler メーター 🔢")),
    Kind("spaces in the name", "used", "", renamed("a b  c")),
    Kind("a name that begins with a dash", "used", "", renamed("-rf")),
    Kind("a long name", "used", "", renamed("x" * 200)),
    Kind("picture missing", "refused", "picture-missing", remove(PICTURE)),
    Kind("a folder called .jpg", "refused", "picture-missing", directory),
    Kind("a pipe called .jpg", "refused", "picture-unreadable", pipe),
    Kind("link out of the dataset", "refused", "path-escape", linked("../../outside.jpg")),
    Kind("link to itself", "refused", "path-escape", linked("a.jpg")),
    Kind("link to nothing", "refused", "picture-unreadable", linked("nothing.jpg")),
    Kind("folders linked in a circle", "used", "", circle),
    Kind("two pictures of one name", "refused", "duplicate-stem", lambda folder: folder.picture("a", ".png")),
    Kind("annotation missing", "refused", "annotation-missing", remove(XML)),
    Kind("annotation empty", "refused", "annotation-malformed", write(XML, "")),
    Kind("annotation not well-formed", "refused", "annotation-malformed", xml("<annotation><size>")),
    Kind("annotation of bytes", "refused", "annotation-malformed", write(XML, bytes(range(256)))),
    Kind("unknown encoding", "refused", "annotation-malformed", xml(KLINGON)),
    Kind("entities", "refused", "annotation-unsafe", xml(BOMB)),
    Kind("external entity", "refused", "annotation-unsafe", xml(EXTERNAL)),
    Kind("annotation of 8 MiB", "refused", "annotation-too-large", write(XML, " " * (2**23 + 1))),
    Kind("no object", "refused", "no-boxes", xml("<annotation/>")),
    Kind("object without a box", "refused", "box-value", xml(BOXLESS)),
    Kind("NaN", "refused", "box-value", box("nan", 2, 9, 9)),
    Kind("infinite", "refused", "box-value", box(1, 2, "inf", 9)),
    Kind("no number", "refused", "box-value", box("left", 2, 9, 9)),
    Kind("swapped corners", "refused", "box-swapped", box(9, 9, 5, 5)),
    Kind("no area", "refused", "box-degenerate", box(5, 5, 5, 9)),
    Kind("box outside", "refused", "box-outside", box(70, 5, 90, 9)),
    Kind("box half outside", "refused", "box-outside", box(-20, 5, 9, 9)),
    Kind("a box of 1e308", "refused", "box-outside", box(1, 1, "1e308", 9)),
    Kind("one pixel over", "noted", "box-clipped", box(1, 1, 65, 9)),
    Kind("no class", "refused", "class-missing", box(1, 1, 9, 9, label="")),
    Kind("unknown class", "refused", "class-unknown", box(1, 1, 9, 9, label="z"), NAMED),
    Kind("another size", "refused", "picture-size", lambda folder: folder.annotation("a", size=(48, 64))),
    Kind("a name twice in a list", "noted", "id-repeated", lambda folder: folder.split("train", "aabcd")),
    Kind("a picture in two splits", "refused", "split-leak", lambda folder: folder.split("val", "ea")),
    Kind("the same bytes in two splits", "noted", "identical-pictures", twin),
    Kind("a list of bytes", "structure", "split-unreadable", write("ImageSets/train.txt", b"\xff\xfe\xfa")),
    Kind("no list", "structure", "split-missing", remove("ImageSets/train.txt")),
    Kind("a split outside", "structure", "split-missing", lambda _: None, {"train": "../../etc"}),
    Kind("a split in an archive", "structure", "split-archive", lambda _: None, {"train": "train.zip"}),
    Kind("COCO: no JSON", "structure", "coco-unreadable", write(COCO, '{"images": [], "annotations": [')),
    Kind("COCO: no images", "structure", "coco-unreadable", coco(lambda document: document.pop("images"))),
    Kind("COCO: no lists", "structure", "coco-unreadable", coco(lambda document: document.update(images={}))),
    Kind("COCO: nested without end", "structure", "coco-unreadable", write(COCO, ENDLESS)),
    Kind("COCO: image id twice", "refused", "id-duplicate", coco(same_image_id)),
    Kind("COCO: annotation id twice", "refused", "id-duplicate", coco(same_annotation_id)),
    Kind("COCO: annotation of nothing", "refused", "annotation-orphan", of_a("image_id", 99)),
    Kind("COCO: unknown category", "refused", "class-unknown", of_a("category_id", 99)),
    Kind("COCO: NaN", "refused", "box-value", of_a("bbox", [float("nan"), 1, 2, 3])),
    Kind("COCO: three numbers", "refused", "box-value", of_a("bbox", [1, 2, 3])),
    Kind("COCO: no box", "refused", "box-value", of_a("bbox", None)),
    Kind("COCO: negative width", "refused", "box-swapped", of_a("bbox", [9, 9, -3, 3])),
    Kind("COCO: outside", "refused", "box-outside", of_a("bbox", [60, 9, 30, 3])),
    Kind("COCO: path out of the dataset", "refused", "path-escape", image_of_a("file_name", "../x.jpg")),
    Kind("COCO: absolute path", "refused", "path-escape", image_of_a("file_name", "/etc/passwd.jpg")),
    Kind("COCO: no file name", "refused", "coco-image", image_of_a("file_name", None)),
    Kind("COCO: another size", "refused", "picture-size", image_of_a("width", 99)),
    Kind("COCO: a crowd", "noted", "crowd-ignored", coco(crowd)),
    Kind("YOLO: pixels", "refused", "box-outside", write(LABELS, "0 12 15 20 30\n")),
    Kind("YOLO: a polygon", "refused", "box-value", write(LABELS, "0 0.1 0.1 0.2 0.1 0.2 0.2\n")),
    Kind("YOLO: class without a name", "refused", "class-unknown", write(LABELS, "7 0.5 0.5 0.1 0.1\n")),
    Kind("YOLO: class of letters", "refused", "box-value", write(LABELS, "cat 0.5 0.5 0.1 0.1\n")),
    Kind("YOLO: NaN", "refused", "box-value", write(LABELS, "0 nan 0.5 0.1 0.1\n")),
    Kind("YOLO: negative", "refused", "box-swapped", write(LABELS, "0 0.5 0.5 -0.1 0.1\n")),
    Kind("YOLO: empty", "refused", "no-boxes", write(LABELS, "")),
    Kind("YOLO: bytes", "refused", "annotation-malformed", write(LABELS, b"\xff\xfe\x00")),
    Kind("YOLO: no names", "noted", "names-missing", remove("classes.txt")),
    Kind("YOLO: a name twice", "structure", "names-unreadable", write("classes.txt", "a\na\n")),
]  # fmt: skip


def in_form(folder: Any, form: str) -> None:
    """The sound dataset in another form."""
    if form == "voc":
        return
    for path in sorted((folder.root / "Annotations").iterdir()):
        path.unlink()
    (folder.root / "Annotations").rmdir()
    if form == "yolo":
        (folder.root / "labels").mkdir()
        for stem in "abcdef":
            write(f"labels/{stem}.txt", "0 0.3 0.4 0.2 0.3\n")(folder)
        write("classes.txt", "a\n")(folder)
        return
    stems = enumerate("abcdef", start=1)
    images = [{"id": n, "file_name": f"{stem}.jpg", "width": 64, "height": 48} for n, stem in stems]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [4, 5, 16, 25]} for n in range(1, 7)]
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    write(COCO, json.dumps(document))(folder)


def look(folder: Any, kind: Kind, **settings: str) -> Inspection:
    in_form(folder, kind.form)
    kind.spoil(folder)
    return inspect(folder.root, parse({**kind.settings, **settings}))


def test_there_are_more_than_sixty_kinds() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) > 60


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_named_or_refused(sound: Any, kind: Kind) -> None:
    report = look(sound, kind).report
    assert report.ok == (kind.outcome in {"noted", "used"}), report
    if kind.code:
        findings = report.errors if kind.outcome in {"refused", "structure"} else report.warnings
        (named, *_) = [finding for finding in findings if finding.code == kind.code]
        assert named.file
        assert len(named.message) > 3
    else:
        assert not report.warnings


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_skipping_leaves_out_what_is_bad_and_keeps_what_can_be_used(sound: Any, kind: Kind) -> None:
    """What the check lets through decodes, fits the input, and has finite boxes inside of the picture."""
    inspection = look(sound, kind, bad_data="skip")
    if kind.outcome == "structure":
        assert inspection.dataset is None
        return
    assert inspection.dataset is not None, inspection.report.errors
    train = inspection.dataset.splits["train"]
    assert len(train) == (3 if kind.outcome == "refused" else 4)
    for pictures in inspection.dataset.splits.values():
        for picture in pictures:
            usable(picture)


def usable(picture: Picture) -> None:
    letterbox = Letterbox.fit((picture.width, picture.height), (64, 32))
    with Image.open(picture.path) as image:
        assert letterbox.draw(image, (64, 32)).shape == (32, 64, 3)
    assert picture.boxes
    for placed in picture.boxes:
        assert 0 <= placed.xmin < placed.xmax <= picture.width
        assert 0 <= placed.ymin < placed.ymax <= picture.height


def test_a_member_of_an_archive_that_leads_out_is_refused_by_name(tmp_path: Path) -> None:
    """Zip slip: archives of pictures are read in memory, and their names never become paths."""
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data/a.zip", "w") as archive:
        archive.writestr("../../evil.jpg", b"x")
        archive.writestr("/abs.jpg", b"y")
    sources = list(archived_pictures(tmp_path / "data", (".jpg",)))
    assert [source.name for source in sources] == ["a.zip/../../evil.jpg", "a.zip//abs.jpg"]
    for source in sources:
        with pytest.raises(PictureError, match="leads out of the archive"):
            source.read()
    assert not list(tmp_path.parent.rglob("evil.jpg"))


def test_a_dataset_that_is_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    report = inspect(tmp_path / "a", parse({})).report
    assert [finding.code for finding in report.errors] == ["dataset-missing"]


def gathered(folder: Any, whole: Path) -> None:
    """One dataset of the spoilt picture of every kind, beside sound ones."""
    for place, kind in enumerate(kind for kind in KINDS if kind.form == "voc"):
        one = type(folder)(whole.parent / f"kind{place}")
        one.pair("a", "b", "c", "d", "e", "f")
        one.split("train", "abcd")
        kind.spoil(one)
        for source in ("JPEGImages", "Annotations"):
            (whole / source).mkdir(parents=True, exist_ok=True)
            for path in (one.root / source).iterdir():
                if path.is_file() and not path.is_symlink():
                    shutil.copyfile(path, whole / source / f"{place:02d}{path.name[-60:]}")


@pytest.mark.training
def test_a_training_starts_and_ends_on_all_kinds_at_once(
    voc: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gathered(voc, tmp_path / "whole")
    settings = {
        "train": "0.5", "validation": "0.5", "test": "", "bad_data": "skip", "maximum_training_steps": "2",
        "batch_size": "8", "input_width": "64", "input_height": "32", "accelerator": "cpu",
    }  # fmt: skip
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    places = ["--datain", str(tmp_path / "whole"), "--trainedmodel", str(tmp_path / "model")]
    assert main(["object-detection-train", *places, *given]) == 0, capsys.readouterr().err
    assert (tmp_path / "model/report.html").is_file()
