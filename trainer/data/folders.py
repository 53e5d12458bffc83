"""Datasets in which every folder is a class: ``<class>/<picture>``, or ``<split>/<class>/<picture>``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath

from typing_extensions import override

from trainer.data.findings import Finding
from trainer.data.layout import SYSTEM_FILES, Item, Store, escapes, normalize
from trainer.data.records import SplitName
from trainer.data.sources import LIST_FOLDERS, Selection, Selector, split_sources
from trainer.data.splits import draw_splits
from trainer.parameters.common import DataParameters


def select_folders(root: Path, parameters: DataParameters) -> Selection:
    """Resolve the splits of a dataset of class folders; faults are in the result, nothing is raised."""
    if not root.is_dir():
        finding = Finding(str(root), 0, "dataset-missing", "is no folder: name the dataset's folder")
        return Selection(findings=[finding])
    return _FolderSelector(root, parameters).run()


class _FolderSelector(Selector):
    """A picture's stem is its path from the dataset on, suffix included: names repeat between classes."""

    form = "class folders"

    def __init__(self, root: Path, parameters: DataParameters) -> None:
        super().__init__(root, parameters)
        self.result.labelled = True
        self.notes = []  # about folders of pictures and annotations, which there are none of
        self._by_entry: dict[str, str | None] | None = None

    @override
    def main_store(self) -> Store | None:
        if self._store is None:
            named = {source for source in split_sources(self.parameters).values() if isinstance(source, str)}
            store = read_classes(self.root, self.root, self.parameters.image_types, {*named, *LIST_FOLDERS})
            if not store.pictures:
                self.fault(".", "class-folders-missing", "expected a folder of pictures for each class")
                return None
            self._store = store
            self.result.stores.append(store)
        return self._store

    @override
    def deal(
        self,
        store: Store,
        stems: set[str],
        shares: Mapping[SplitName, Fraction],
        group: Callable[[str], str],
    ) -> Mapping[SplitName, Sequence[str]]:
        """Every class is dealt by itself, unless groups may reach across classes."""
        if self.parameters.group_pattern:
            return super().deal(store, stems, shares, group)
        classes: dict[str, set[str]] = defaultdict(set)
        for stem in stems:
            classes[store.labels[stem]].add(stem)
        dealt: dict[SplitName, list[str]] = {split: [] for split in shares}
        for label in sorted(classes):
            drawn = draw_splits(classes[label], shares, self.parameters.seed, group)
            for split, chosen in drawn.items():
                dealt[split] += chosen
        return dealt

    @override
    def stem(self, text: str, store: Store) -> str:
        """The picture a list entry means: its path or the end of it, with or without suffix."""
        if self._by_entry is None:
            self._by_entry = _entries(store)
        parts = PurePosixPath(normalize(text.replace("\\", "/"))).parts
        for start in range(len(parts)):
            if stem := self._by_entry.get("/".join(parts[start:])):
                return stem
        return normalize(text)

    @override
    def from_folder(self, split: SplitName, source: str) -> list[Item]:
        folder = self.root / source
        inside = folder.is_dir() and not escapes(folder, self.root)
        store = read_classes(folder, self.root, self.parameters.image_types) if inside else None
        if store is None or not store.pictures:
            self.fault(source, "split-missing", f"{split}: no such sub-folder with a folder for each class")
            return []
        self.result.stores.append(store)
        return [store.item(stem) for stem in sorted(store.stems)]


def read_classes(folder: Path, root: Path, image_types: Collection[str], skip: Collection[str] = ()) -> Store:
    """The pictures in the sub-folders of ``folder`` but those to ``skip``, by their path from ``root`` on."""
    pictures: dict[str, tuple[Path, ...]] = {}
    ignored: dict[str, tuple[Path, ...]] = {}
    labels: dict[str, str] = {}
    for path in _members(folder, skip):
        stem = normalize(path.relative_to(root).as_posix())
        if path.suffix.lower() in image_types:
            pictures[stem] = (path,)
            labels[stem] = normalize(path.parent.name)
        else:
            ignored[stem] = (path,)
    return Store(pictures, {}, ignored, labels)


def _members(folder: Path, skip: Collection[str]) -> Iterator[Path]:
    for label in sorted(folder.iterdir()):
        if not label.is_dir() or label.name in skip or label.name.startswith("."):
            continue
        for path in sorted(label.iterdir()):
            if not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES and not path.is_dir():
                yield path


def _entries(store: Store) -> dict[str, str | None]:
    """Every way to name a picture in a list; None where it would mean more than one."""
    entries: dict[str, str | None] = {}
    for stem in store.stems:
        path = PurePosixPath(stem)
        for name in {stem, str(path.with_suffix("")), path.name, path.stem}:
            entries[name] = stem if entries.get(name, stem) == stem else None
    return entries
