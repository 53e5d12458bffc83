"""Which pictures each split asks for: shares are drawn, list files and sub-folders are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import ClassVar

from trainer.data.findings import Finding
from trainer.data.layout import (
    ANNOTATION_FOLDERS,
    Item,
    Store,
    escapes,
    find_folders,
    missing_folders,
    normalize,
    read_store,
)
from trainer.data.records import SPLIT_NAMES, SplitName
from trainer.data.splits import draw_splits, group_function
from trainer.parameters.common import DataParameters
from trainer.parameters.scheme import Split

LIST_FOLDERS = ("", "ImageSets", "ImageSets/Main")
_CLASS_FLAG = re.compile(r"\s+(-1|0|1)$")  # VOC's own ImageSets/Main/<class>_train.txt: "000012 -1"


@dataclass(slots=True)
class Selection:
    """The items of every split in use and what was found on the way; ``stores`` are the folders read.

    ``labelled``: pictures have one class each, and no boxes. ``form``: how the annotations are written.
    """

    splits: dict[SplitName, list[Item]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    drawn: bool = False
    labelled: bool = False
    form: str = ""


def split_sources(parameters: DataParameters) -> dict[SplitName, Split]:
    """The source of every split, in the order of ``SPLIT_NAMES``; None where it is off or unknown."""
    return {split: getattr(parameters, split, None) for split in SPLIT_NAMES}


class Selector:
    """One pass over the split sources; the main folders are listed once, and only if a split needs them.

    This one reads Pascal VOC: pictures and XML files in two folders, or in one.
    """

    form: ClassVar[str] = "Pascal VOC"
    annotation_folders: ClassVar[Sequence[str]] = ANNOTATION_FOLDERS

    def __init__(self, root: Path, parameters: DataParameters) -> None:
        self.root = root
        self.parameters = parameters
        self.result = Selection(form=self.form)
        self.pictures, self.annotations, self.notes = find_folders(root, self.annotation_folders)
        self._store: Store | None = None

    def run(self) -> Selection:
        shares: dict[SplitName, Fraction] = {}
        for split, source in split_sources(self.parameters).items():
            if isinstance(source, Fraction):
                shares[split] = source
            elif isinstance(source, str):
                self.result.splits[split] = self.named(split, source)
        self._check_same_source()
        if shares:
            self._draw(shares)
        self.result.splits = {
            name: self.result.splits[name] for name in SPLIT_NAMES if name in self.result.splits
        }
        return self.result

    def fault(self, file: str, code: str, message: str, line: int = 0) -> None:
        finding = Finding(file, line, code, message)
        if finding not in self.result.findings:
            self.result.findings.append(finding)

    def main_store(self) -> Store | None:
        if self.pictures is None or self.annotations is None:
            for finding in missing_folders(self.pictures, self.annotations, self.annotation_folders):
                self.fault(finding.file, finding.code, finding.message)
            return None
        if self._store is None:
            self.result.findings += self.notes
            self._store = self.read(self.pictures, self.annotations)
        return self._store

    def read(self, pictures: Path, annotations: Path) -> Store:
        """List a folder of pictures and one of annotations."""
        store = read_store(pictures, annotations, self.parameters.image_types)
        self.result.stores.append(store)
        return store

    def _draw(self, shares: dict[SplitName, Fraction]) -> None:
        store = self.main_store()
        if store is None:
            return
        group = group_function(self.parameters.group_pattern)
        named = {group(item.stem) for items in self.result.splits.values() for item in items}
        free = {stem for stem in store.stems if group(stem) not in named}
        self.result.drawn = True
        for split, stems in self.deal(store, free, shares, group).items():
            self.result.splits[split] = [store.item(stem) for stem in stems]

    def deal(
        self,
        store: Store,  # noqa: ARG002
        stems: set[str],
        shares: Mapping[SplitName, Fraction],
        group: Callable[[str], str],
    ) -> Mapping[SplitName, Sequence[str]]:
        """The stems that each share gets."""
        return draw_splits(stems, shares, self.parameters.seed, group)

    def named(self, split: SplitName, source: str) -> list[Item]:
        """The items of a split that is a list file or a folder."""
        if source.lower().endswith(".zip"):
            self.fault(source, "split-archive", f"{split}: unpack the archive and name the folder instead")
            return []
        if source.lower().endswith(".txt"):
            return self._from_list(split, source)
        return self.from_folder(split, source)

    def _from_list(self, split: SplitName, source: str) -> list[Item]:
        tried = [self.root / folder / source for folder in LIST_FOLDERS]
        path = next((path for path in tried if path.is_file()), None)
        if path is None or escapes(path, self.root):
            places = ", ".join(folder or "the dataset" for folder in LIST_FOLDERS)
            remedy = f"looked in {places}; set {split} to a share such as 0.1" + (
                "" if split == "train" else ' or to "" for none'
            )
            self.fault(source, "split-missing", f"{split}: no such list file: {remedy}")
            return []
        store = self.main_store()
        return [] if store is None else list(self._list_items(path, store))

    def _list_items(self, path: Path, store: Store) -> Iterator[Item]:
        name = path.relative_to(self.root).as_posix()
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            self.fault(name, "split-unreadable", f"is no UTF-8 text (byte {error.start + 1})")
            return
        seen: dict[str, int] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            stem = self.stem(line.strip(), store)
            if stem in seen:
                self.fault(name, "id-repeated", f"{stem!r} stands on line {seen[stem]} already", number)
                continue
            seen[stem] = number
            yield store.item(stem, name, number)

    def stem(self, text: str, store: Store) -> str:
        """The stem a list entry means: with or without folder, suffix and VOC's class flag."""
        entry = normalize(PurePosixPath(text.replace("\\", "/")).name)
        for candidate in (entry, _CLASS_FLAG.sub("", entry)):
            suffix = PurePosixPath(candidate).suffix
            bare = candidate.removesuffix(suffix)
            if candidate in store.stems:
                return candidate
            if bare in store.stems and suffix.lower() in (*self.parameters.image_types, ".xml"):
                return bare
        return entry

    def from_folder(self, split: SplitName, source: str) -> list[Item]:
        folders = None if escapes(self.root / source, self.root) else self._split_folders(source)
        if folders is None:
            hint = f"expected {source} with pictures and annotations, or a folder {source} among the pictures"
            self.fault(source, "split-missing", f"{split}: no such sub-folder: {hint}")
            return []
        store = self.read(*folders)
        return [store.item(stem) for stem in sorted(store.stems)]

    def _split_folders(self, source: str) -> tuple[Path, Path] | None:
        """<split>/Images + <split>/Annotations; Images/<split> + Annotations[/<split>]; all in <split>."""
        own = self.root / source
        if own.is_dir():
            pictures, annotations, _ = find_folders(own, self.annotation_folders)
            if pictures is not None and annotations is not None:
                return pictures, annotations
        if self.pictures is not None and self.annotations is not None and (self.pictures / source).is_dir():
            nested = self.annotations / source
            return self.pictures / source, nested if nested.is_dir() else self.annotations
        return (own, own) if own.is_dir() else None

    def _check_same_source(self) -> None:
        for other in ("validation", "test"):
            source = getattr(self.parameters, other)
            if isinstance(source, str) and source == self.parameters.train:
                self.fault(source, "split-same-source", f"is both train and {other}: use different pictures")
        if isinstance(self.parameters.test, str) and self.parameters.test == self.parameters.validation:
            message = "is both validation and test: the test figures are those the training was steered by"
            self.fault(self.parameters.test, "split-shared", message)
