"""Where a dataset keeps its files: every folder spelling the CV package took, plus VOC's own."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.data.boxes import Fault, Marks
from trainer.data.findings import Finding
from trainer.data.voc import read_marks

PICTURE_FOLDERS = ("Images", "images", "jpegs", "jpgs", "JPEGImages")
ANNOTATION_FOLDERS = ("Annotations", "annotations", "annotation", "Annotation", "xml", "xmls")
LABEL_FOLDERS = ("labels", "Labels")

NAME_FILES = frozenset({"classes.txt"})
"""Beside label files, and none of them."""

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


Reader = Callable[[bytes], Marks | Fault]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture a split asks for, before anything was opened.

    A sound item has exactly one picture and either one annotation or, where folders are classes, a
    ``label``. ``asked_by`` and ``line`` name the list entry it comes from, if any. ``reader`` reads the
    annotation, unless its ``marks`` are known: those of one picture in a file of many.
    """

    stem: str
    pictures: tuple[Path, ...]
    annotations: tuple[Path, ...]
    ignored: tuple[Path, ...] = ()
    asked_by: str = ""
    line: int = 0
    label: str = ""
    reader: Reader = read_marks
    marks: Marks | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """The files of a picture folder and an annotation folder by stem (Unicode NFC: Macs write NFD).

    Where folders are classes there are no annotations, and ``labels`` has the class of every stem.
    """

    pictures: Mapping[str, tuple[Path, ...]]
    annotations: Mapping[str, tuple[Path, ...]]
    ignored: Mapping[str, tuple[Path, ...]]
    labels: Mapping[str, str] = field(default_factory=dict)
    reader: Reader = read_marks
    marks: Mapping[str, Marks] = field(default_factory=dict)

    @property
    def stems(self) -> set[str]:
        return {*self.pictures, *self.annotations}

    def item(self, stem: str, asked_by: str = "", line: int = 0) -> Item:
        stem = normalize(stem)
        return Item(
            stem,
            self.pictures.get(stem, ()),
            self.annotations.get(stem, ()),
            self.ignored.get(stem, ()),
            asked_by,
            line,
            self.labels.get(stem, ""),
            self.reader,
            self.marks.get(stem),
        )


def normalize(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def escapes(path: Path, root: Path) -> bool:
    """Whether ``path``, links followed, lies outside ``root``; links that go round in circles lie nowhere."""
    try:
        return not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # Python before 3.13 calls a circle a RuntimeError
        return True


def read_store(
    pictures: Path,
    annotations: Path,
    image_types: Collection[str],
    suffix_of_annotations: str = ".xml",
    reader: Reader = read_marks,
) -> Store:
    """List both folders, not their sub-folders; which one a file came from decides what it may be."""
    same = pictures == annotations
    kinds: dict[str, dict[str, list[Path]]] = {
        kind: defaultdict(list) for kind in ("picture", "annotation", "ignored")
    }
    for path in sorted(pictures.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or path.name.lower() in SYSTEM_FILES or path.is_dir():
            continue
        if same and suffix == suffix_of_annotations:
            continue
        kinds["picture" if suffix in image_types else "ignored"][normalize(path.stem)].append(path)
    for path in sorted(annotations.iterdir()):
        listed = path.suffix.lower() == suffix_of_annotations and path.name not in NAME_FILES
        if listed and not path.name.startswith("."):
            kinds["annotation"][normalize(path.stem)].append(path)
    frozen = {kind: {stem: tuple(paths) for stem, paths in files.items()} for kind, files in kinds.items()}
    return Store(frozen["picture"], frozen["annotation"], frozen["ignored"], reader=reader)


def find_folders(
    root: Path, annotation_folders: Sequence[str] = ANNOTATION_FOLDERS
) -> tuple[Path | None, Path | None, list[Finding]]:
    """The picture folder and the annotation folder in ``root``, the first spelling that exists."""
    findings: list[Finding] = []
    chosen: list[Path | None] = []
    for names in (PICTURE_FOLDERS, annotation_folders):
        present = [path for path in sorted(root.iterdir()) if path.name in names and path.is_dir()]
        present.sort(key=lambda path: names.index(path.name))
        if len(present) > 1:
            ignored = ", ".join(path.name for path in present[1:])
            findings.append(
                Finding(present[0].name, 0, "folder-ambiguous", f"used; not looked at: {ignored}")
            )
        chosen.append(present[0] if present else None)
    return chosen[0], chosen[1], findings


def missing_folders(
    pictures: Path | None,
    annotations: Path | None,
    annotation_folders: Sequence[str] = ANNOTATION_FOLDERS,
) -> list[Finding]:
    findings = []
    if pictures is None:
        findings.append(
            Finding(".", 0, "images-folder-missing", f"expected one of {', '.join(PICTURE_FOLDERS)}")
        )
    if annotations is None:
        wanted = ", ".join(annotation_folders)
        findings.append(Finding(".", 0, "annotations-folder-missing", f"expected one of {wanted}"))
    return findings
