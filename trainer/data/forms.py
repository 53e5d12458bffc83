"""The forms that boxes come in, and which of them a dataset has: Pascal VOC, COCO, YOLO."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from typing_extensions import override

from trainer.data.coco import CocoFile, CocoPicture, looks_like_coco, read_coco
from trainer.data.findings import Finding
from trainer.data.layout import (
    ANNOTATION_FOLDERS,
    LABEL_FOLDERS,
    NAME_FILES,
    PICTURE_FOLDERS,
    Item,
    Store,
    escapes,
    normalize,
    read_store,
)
from trainer.data.records import SplitName
from trainer.data.sources import Selection, Selector
from trainer.data.yolo import LabelReader, class_names
from trainer.parameters.common import DataParameters

#: How deep below the dataset annotations are looked for: ``train/labels/1.txt``, ``labels/train/1.txt``.
DEPTH = 2


def select(root: Path, parameters: DataParameters) -> Selection:
    """Resolve the splits of the dataset in ``root``; faults are in the result, nothing is raised for them."""
    if not root.is_dir():
        finding = Finding(str(root), 0, "dataset-missing", "is no folder: name the dataset's folder")
        return Selection(findings=[finding])
    found = detect(root)
    chosen = found[0] if found else Selector
    selection = chosen(root, parameters).run()
    if len(found) > 1:
        others = " and ".join(form.form for form in found[1:])
        selection.findings.append(
            Finding(".", 0, "form-ambiguous", f"{chosen.form} is used; what is written as {others} is not")
        )
    return selection


def detect(root: Path) -> list[type[Selector]]:
    """The forms that a folder has annotations of, the one to use first."""
    seen: set[type[Selector]] = set()
    for folder, names in _folders(root):
        suffixes = {Path(name).suffix.lower() for name in names if name not in NAME_FILES}
        if ".xml" in suffixes:
            seen.add(Selector)
        if ".txt" in suffixes and any(part in LABEL_FOLDERS for part in folder.relative_to(root).parts):
            seen.add(YoloSelector)
        if CocoSelector not in seen and any(
            name.lower().endswith(".json") and looks_like_coco(folder / name) for name in names
        ):
            seen.add(CocoSelector)
    return [form for form in (Selector, CocoSelector, YoloSelector) if form in seen]


def _folders(root: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """The dataset and what is below it, no links followed, with the names of their files."""
    for place, folders, names in os.walk(root):
        folder = Path(place)
        if len(folder.relative_to(root).parts) >= DEPTH:
            folders.clear()
        folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
        yield folder, sorted(names)


class YoloSelector(Selector):
    """``images/`` and ``labels/``, side by side in the dataset or in the folder of each split."""

    form = "YOLO"
    annotation_folders = LABEL_FOLDERS

    def __init__(self, root: Path, parameters: DataParameters) -> None:
        super().__init__(root, parameters)
        names, findings = class_names(root)
        self.result.findings += findings
        self.reader = LabelReader(names)

    @override
    def read(self, pictures: Path, annotations: Path) -> Store:
        store = read_store(pictures, annotations, self.parameters.image_types, ".txt", self.reader)
        self.result.stores.append(store)
        return store


class CocoSelector(Selector):
    """JSON files beside the pictures, in a folder of annotations, or in the folder of each split."""

    form = "COCO"

    @override
    def main_store(self) -> Store | None:
        """Every file that is in no split's own folder."""
        if self._store is None:
            files = _json_files(self.root)
            if not files:
                self.fault(".", "coco-unreadable", "expected a JSON file here or in annotations/")
                return None
            self._store = self._coco_store(files)
        return self._store

    @override
    def named(self, split: SplitName, source: str) -> list[Item]:
        if not source.lower().endswith(".json"):
            return super().named(split, source)
        places = [self.root / source, *(self.root / folder / source for folder in ANNOTATION_FOLDERS)]
        path = next((path for path in places if path.is_file()), None)
        if path is None or escapes(path, self.root):
            self.fault(source, "split-missing", f"{split}: no such file here or in annotations/")
            return []
        store = self._coco_store([path])
        return [store.item(stem) for stem in sorted(store.stems)]

    @override
    def from_folder(self, split: SplitName, source: str) -> list[Item]:
        folder = self.root / source
        files = [] if escapes(folder, self.root) or not folder.is_dir() else _json_files(folder)
        if not files:
            remedy = "name the JSON file, or a share such as 0.1"
            self.fault(source, "split-missing", f"{split}: no such sub-folder with a JSON file; {remedy}")
            return []
        store = self._coco_store(files)
        return [store.item(stem) for stem in sorted(store.stems)]

    def _coco_store(self, paths: Sequence[Path]) -> Store:
        pictures: dict[str, tuple[Path, ...]] = {}
        ignored: dict[str, tuple[Path, ...]] = {}
        annotations: dict[str, tuple[Path, ...]] = {}
        marks = {}
        for path in paths:
            file: CocoFile = read_coco(path, path.relative_to(self.root).as_posix())
            self.result.findings += file.findings
            for entry in file.pictures:
                stem = normalize(entry.stem)
                found = self._picture(path, entry)
                wanted = found is not None and found.suffix.lower() in self.parameters.image_types
                if found is not None and found not in pictures.get(stem, ()):
                    target = pictures if wanted else ignored
                    target[stem] = (*target.get(stem, ()), found)
                annotations[stem] = (path,)
                marks[stem] = entry.marks
        store = Store(pictures, annotations, ignored, marks=marks)
        self.result.stores.append(store)
        return store

    def _picture(self, file: Path, entry: CocoPicture) -> Path | None:
        """The file that an entry means, from the JSON file, the dataset or a folder of pictures on."""
        homes = [file.parent, self.root, *(self.root / name for name in PICTURE_FOLDERS)]
        homes += [path for home in homes[1:] for path in _children(home)]
        return next((home / entry.file for home in homes if (home / entry.file).is_file()), None)


def _children(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _json_files(folder: Path) -> list[Path]:
    """The COCO files of a folder: its own, or those in its folder of annotations."""
    for place in (folder, *(folder / name for name in ANNOTATION_FOLDERS)):
        if place.is_dir() and (
            found := [path for path in sorted(place.glob("*.json")) if looks_like_coco(path)]
        ):
            return found
    return []
