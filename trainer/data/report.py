"""The result of a dataset check, as JSON for programs and as text for people."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from trainer.data.findings import Finding
from trainer.data.records import Picture

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """What a split is made of; widths, heights and box heights in pixels, all taken from usable pictures."""

    pictures: int
    boxes: int
    classes: Mapping[str, int]
    width: Mapping[str, float]
    height: Mapping[str, float]
    boxes_per_picture: Mapping[str, float]
    box_height: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a check. ``left_out`` counts pictures that bad_data=skip took out of the splits.

    ``located``: objects have boxes; elsewhere there is nothing to say about these. ``form``: how the
    annotations are written, "" where nothing was read.
    """

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    splits: Mapping[str, SplitStatistics]
    classes: Mapping[str, int]
    pictures: int
    left_out: int
    fingerprint: str
    located: bool = True
    form: str = ""

    @property
    def ok(self) -> bool:
        """Whether a training would start."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "ok": self.ok,
            "errors": [_finding(finding) for finding in self.errors],
            "warnings": [_finding(finding) for finding in self.warnings],
            "splits": {name: split.pictures for name, split in self.splits.items()},
            "classes": dict(self.classes),
            "pictures": self.pictures,
            "left_out": self.left_out,
            "fingerprint": self.fingerprint,
            "form": self.form,
            "statistics": {name: asdict(split) for name, split in self.splits.items()},
        }


def _finding(finding: Finding) -> dict[str, Any]:
    line = {"line": finding.line} if finding.line else {}
    return {"file": finding.file, **line, "code": finding.code, "message": finding.message}


def split_statistics(pictures: Sequence[Picture], classes: Sequence[str]) -> SplitStatistics:
    """Count ``pictures``; every one of ``classes`` has a key, also with no box."""
    boxes = [box for picture in pictures for box in picture.boxes]
    counts = Counter(box.label for box in boxes)
    return SplitStatistics(
        pictures=len(pictures),
        boxes=len(boxes),
        classes={name: counts[name] for name in classes},
        width=_range([picture.width for picture in pictures]),
        height=_range([picture.height for picture in pictures]),
        boxes_per_picture=_range([len(picture.boxes) for picture in pictures]),
        box_height=_percentiles([box.height for box in boxes]),
    )


def _range(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    """Nearest-rank percentiles: each is a height that occurs."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{percent}": ordered[max(0, -(-percent * len(ordered) // 100) - 1)] for percent in (5, 50, 95)}


def print_report(report: Report, console: Console) -> None:
    """Tables on a terminal, plain lines elsewhere; findings are one line each in both."""
    for kind, findings in (("error", report.errors), ("warning", report.warnings)):
        for finding in findings:
            console.print(f"{kind}: {finding}", markup=False, highlight=False, soft_wrap=True)
    if report.splits and console.is_terminal:
        console.print(_split_table(report))
        console.print(_class_table(report))
    else:
        for line in _plain_lines(report):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(summary(report), markup=False, highlight=False, soft_wrap=True)


def summary(report: Report) -> str:
    """One line: what was found and whether a training would start."""
    parts = [counted(report.pictures, "usable picture")]
    parts += [f"{report.left_out} left out"] if report.ok and report.left_out else []
    parts += [counted(len(report.errors), "error"), counted(len(report.warnings), "warning")]
    form = f" ({report.form})" if report.form else ""
    return f"dataset{form} {'accepted' if report.ok else 'rejected'}: {', '.join(parts)}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_COLUMNS = ("pictures", "width px min/median/max", "height px min/median/max")
_BOX_COLUMNS = ("boxes", "boxes a picture min/median/max", "box height px p5/p50/p95")


def _columns(report: Report) -> tuple[str, ...]:
    return _COLUMNS + _BOX_COLUMNS if report.located else _COLUMNS


def _cells(report: Report, split: SplitStatistics) -> Iterator[str]:
    yield str(split.pictures)
    yield from map(_joined, (split.width, split.height))
    if report.located:
        yield str(split.boxes)
        yield from map(_joined, (split.boxes_per_picture, split.box_height))


def _joined(values: Mapping[str, float]) -> str:
    return " / ".join(f"{value:g}" for value in values.values()) or "-"


def _split_table(report: Report) -> Table:
    table = Table("split", *_columns(report))
    for name, split in report.splits.items():
        table.add_row(name, *_cells(report, split))
    return table


def _class_table(report: Report) -> Table:
    table = Table("class", *report.splits)
    for name in report.classes:
        table.add_row(name, *(str(split.classes[name]) for split in report.splits.values()))
    return table


def _plain_lines(report: Report) -> Iterator[str]:
    for name, split in report.splits.items():
        cells = zip(_columns(report), _cells(report, split), strict=True)
        yield f"split {name}: " + ", ".join(f"{column} {cell}" for column, cell in cells)
        yield f"classes {name}: " + ", ".join(f"{label} {count}" for label, count in split.classes.items())
