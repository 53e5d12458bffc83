"""The check before a training: one pass over the whole dataset, one report that names every fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.data.examine import Examined, examine_all
from trainer.data.findings import Finding
from trainer.data.forms import select
from trainer.data.layout import Item
from trainer.data.leaks import find_leaks, find_twins
from trainer.data.records import Dataset, Picture, SplitName, dataset_fingerprint
from trainer.data.report import Report, SplitStatistics, split_statistics
from trainer.data.sources import Selection
from trainer.data.splits import group_function
from trainer.parameters.common import DataParameters


@dataclass(frozen=True, slots=True)
class Inspection:
    """What ``inspect`` found; ``dataset`` is None where the report has errors."""

    dataset: Dataset | None
    report: Report


Select = Callable[[Path, DataParameters], Selection]


def inspect(datain: Path, parameters: DataParameters, find: Select = select) -> Inspection:
    """Read every file that the splits name. Bad data is in the report; nothing is raised for it.

    ``find`` knows how the dataset lays out its files. With ``bad_data=skip`` faulty pictures are left out and
    their findings become warnings; faults of the dataset as a whole stay errors.
    """
    root = _resolved(datain)
    selection = find(root, parameters)
    if any(finding.level == "structure" for finding in selection.findings):
        return Inspection(None, _report(selection, selection.findings, parameters, _Usable({}, (), 0)))
    examined = _examine(root, selection, parameters)
    usable, findings = _sift(selection, examined, parameters)
    findings = [*selection.findings, *findings, *_folder_notes(root, selection)]
    skipping = parameters.bad_data == "skip"
    if selection.labelled and (skipping or all(finding.level != "picture" for finding in findings)):
        findings += _too_few_classes(usable.splits.get("train", ()))
    report = _report(selection, findings, parameters, usable)
    dataset = Dataset(root, usable.classes, usable.splits)
    return Inspection(dataset if report.ok else None, report)


def _resolved(datain: Path) -> Path:
    """Links followed; what cannot be followed is left, and found to be no folder."""
    try:
        return datain.resolve()
    except (OSError, RuntimeError):  # Python before 3.13 calls a circle of links a RuntimeError
        return datain


@dataclass(frozen=True, slots=True)
class _Usable:
    splits: Mapping[SplitName, tuple[Picture, ...]]
    classes: tuple[str, ...]
    left_out: int

    def unique(self) -> set[Picture]:
        return {picture for pictures in self.splits.values() for picture in pictures}


def _examine(root: Path, selection: Selection, parameters: DataParameters) -> dict[Item, Examined]:
    items = dict.fromkeys(item for items in selection.splits.values() for item in items)
    return {result.item: result for result in examine_all(root, items, parameters.class_names)}


def _sift(
    selection: Selection, examined: Mapping[Item, Examined], parameters: DataParameters
) -> tuple[_Usable, list[Finding]]:
    """Keep what is sound and stands in one split; the findings say why the rest does not."""
    shared = isinstance(parameters.test, str) and parameters.test == parameters.validation
    group = group_function(parameters.group_pattern) if parameters.group_pattern else None
    leaks = find_leaks(selection.splits, group, shared)
    findings = [finding for result in examined.values() for finding in result.findings]
    findings += [finding for leaked in leaks.values() for finding in leaked.values()]
    findings += find_twins(selection.splits, examined, shared)
    splits: dict[SplitName, tuple[Picture, ...]] = {}
    dropped: set[tuple[Path, ...] | str] = set()
    for split, items in selection.splits.items():
        kept = []
        for item in items:
            picture = examined[item].picture
            if picture is None or item in leaks[split]:
                dropped.add(item.pictures or item.stem)
            else:
                kept.append(picture)
        splits[split] = tuple(sorted(kept, key=lambda picture: (picture.stem, picture.path)))
        if not kept:
            message = f"{split}: none of its {len(items)} pictures can be used"
            findings.append(Finding(".", 0, "split-empty", message))
    classes = parameters.class_names or _collect_classes(splits.values())
    findings += _untrained(splits.get("train", ()), classes)
    return _Usable(splits, classes, len(dropped)), findings


def _collect_classes(splits: Iterable[tuple[Picture, ...]]) -> tuple[str, ...]:
    names = {box.label for pictures in splits for picture in pictures for box in picture.boxes}
    return tuple(sorted(names, key=_class_order))


def _class_order(name: str) -> tuple[bool, int, str]:
    number = name.isascii() and name.isdigit()
    return (not number, int(name) if number else 0, name)


def _untrained(train: Iterable[Picture], classes: tuple[str, ...]) -> list[Finding]:
    seen = {box.label for picture in train for box in picture.boxes}
    return [
        Finding(".", 0, "class-untrained", f"class {name!r} does not occur in train: it cannot be learnt")
        for name in classes
        if name not in seen
    ]


def _too_few_classes(train: Sequence[Picture]) -> list[Finding]:
    classes = {box.label for picture in train for box in picture.boxes}
    message = f"train has the class {min(classes, default='')!r} only: there is nothing to tell apart"
    return [Finding(".", 0, "classes-too-few", message)] if len(classes) == 1 else []


def _folder_notes(root: Path, selection: Selection) -> list[Finding]:
    """Files of no picture type, and pictures that nobody asked for."""
    ignored = sorted(path for store in selection.stores for paths in store.ignored.values() for path in paths)
    notes = [
        Finding(path.relative_to(root).as_posix(), 0, "file-ignored", "is of none of image_types")
        for path in ignored
    ]
    asked = {path for items in selection.splits.values() for item in items for path in item.pictures}
    present = {path for store in selection.stores for paths in store.pictures.values() for path in paths}
    if (rest := sorted(present - asked)) and not selection.drawn:
        message = f"{len(rest)} pictures are in no split, the first is {rest[0].name}"
        notes.append(Finding(rest[0].parent.relative_to(root).as_posix(), 0, "unlisted", message))
    return notes


def _report(
    selection: Selection, findings: Iterable[Finding], parameters: DataParameters, usable: _Usable
) -> Report:
    fatal = {"structure", "picture"} if parameters.bad_data == "reject" else {"structure"}
    ordered = sorted(set(findings))
    unique = usable.unique()
    counts = Counter(box.label for picture in unique for box in picture.boxes)
    statistics: dict[str, SplitStatistics] = {
        split: split_statistics(pictures, usable.classes) for split, pictures in usable.splits.items()
    }
    errors = tuple(finding for finding in ordered if finding.level in fatal)
    sound = Dataset(Path(), usable.classes, usable.splits)
    return Report(
        errors=errors,
        warnings=tuple(finding for finding in ordered if finding.level not in fatal),
        splits=statistics,
        classes={name: counts[name] for name in usable.classes},
        pictures=len(unique),
        left_out=usable.left_out,
        located=not selection.labelled,
        form=selection.form,
        fingerprint="" if errors else dataset_fingerprint(sound),
    )
