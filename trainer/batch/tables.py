"""CSV files made from the journal, each written whole or not at all."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: its name, its columns, and the rows one record gives, none where it has nothing for it."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Record], Iterator[Row]]


def _bad(record: Record) -> Iterator[Row]:
    if "error" in record:
        yield record["picture"], record["error"], record["message"]


def _readings(record: Record) -> Iterator[Row]:
    if "reading" in record:
        yield (
            record["picture"],
            record["reading"],
            record["confidence"],
            record["complete"],
            record["accepted"],
        )


def _boxes(record: Record) -> Iterator[Row]:
    for box in record.get("boxes", ()):
        yield record["picture"], box["class"], box["score"], *box["box"]


def _neighbours(record: Record) -> Iterator[Row]:
    if "nearest" in record:
        yield record["picture"], record["nearest"], record["nearest_class"], record["distance"]


def _classes(record: Record) -> Iterator[Row]:
    if "probs" in record:
        index = record["predicted_class"]
        yield record["picture"], record["predicted_class_name"], index, record["probs"][index]


BAD = Table("bad_pictures.csv", ("picture", "code", "reason"), _bad)
READINGS = Table("readings.csv", ("picture", "reading", "confidence", "complete", "accepted"), _readings)
BOXES = Table("results.csv", ("picture", "class", "score", "x1", "y1", "x2", "y2"), _boxes)
CLASSES = Table("results.csv", ("picture", "class", "index", "probability"), _classes)
NEIGHBOURS = Table("results.csv", ("picture", "nearest", "class", "distance"), _neighbours)
TABLES: Mapping[str, tuple[Table, ...]] = {
    "object-detection": (BOXES, READINGS, BAD),
    "image-classification": (CLASSES, BAD),
    "image-embedding": (NEIGHBOURS, BAD),
}
"""By task."""


@dataclass(slots=True)
class Tally:
    """What the records add up to."""

    pictures: int = 0
    bad: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.pictures += 1
        if "error" in record:
            self.bad += 1
            self.faults[record["error"]] += 1
        for box in record.get("boxes", ()):
            self.classes[box["class"]] += 1
        for key in ("predicted_class_name", "nearest_class"):
            if key in record:
                self.classes[record[key]] += 1


def write_tables(task: str, records: Iterable[Record], folder: Path) -> Tally:
    """Write the CSV files of a task in one pass over the records; a table without rows is left out.

    ``results.csv`` is always there.
    """
    tally, counts = Tally(), Counter[str]()
    tables = TABLES[task]
    with ExitStack() as stack:
        writers = {}
        for table in tables:
            file = (folder / f"{table.name}.partial").open("w", encoding="utf-8", newline="")
            writers[table] = csv.writer(stack.enter_context(file))
            writers[table].writerow(table.columns)
        for record in records:
            tally.add(record)
            for table, writer in writers.items():
                rows = list(table.rows(record))
                writer.writerows(rows)
                counts[table.name] += len(rows)
    for table in tables:
        partial = folder / f"{table.name}.partial"
        if counts[table.name] or table.name == "results.csv":
            os.replace(partial, folder / table.name)  # noqa: PTH105
        else:
            partial.unlink()
    return tally
