"""`drift-ignore.yaml`: differences that are known and borne for a while, each with a reason and an end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from generator.errors import Diagnostic, InputError
from generator.spec.model import SpecModel
from generator.spec.parse import parse
from generator.spec.reader import read
from generator.spec.types import Line
from reconciler.drift_model import Finding, Ignored

IGNORE_PATH = "drift-ignore.yaml"
#: The path that stands for all paths of an address.
ALL = "*"


def _day(value: str) -> str:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            date.fromisoformat(value)
            return value
    except ValueError:
        pass
    raise PydanticCustomError("day", "must be a day, such as `2027-01-31`")


Day = Annotated[Line, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class IgnoreEntry(SpecModel):
    """One difference to leave out; every key is required."""

    address: Line
    """Address of the finding, as `corespec drift` prints it."""
    path: Line
    """Path of the finding, or `*` for all paths of the address."""
    reason: Line
    """Why it is borne."""
    expiry: Day
    """The last day on which it is; from the next day on the entry is an error."""


class DriftIgnore(SpecModel):
    """Differences that `corespec drift` leaves out of its count."""

    api_version: Literal["corespec/v1"]
    """Version of the spec language."""
    kind: Literal["DriftIgnore"]
    """Kind of document."""
    ignore: tuple[IgnoreEntry, ...] = Field(default=())
    """The differences."""


def read_ignores(root: Path, today: date) -> tuple[IgnoreEntry, ...]:
    """The entries of the project's `drift-ignore.yaml`; none without the file.

    Raises InputError naming file, line and column of every fault; an entry that has expired is one.
    """
    path = root / IGNORE_PATH
    if not path.exists():
        return ()
    parsed = parse(read(IGNORE_PATH, path.read_bytes()), DriftIgnore)
    if parsed.model is None:
        raise InputError(parsed.diagnostics)
    entries, positions = parsed.model.ignore, parsed.source.positions
    expired = [
        Diagnostic(
            IGNORE_PATH,
            *positions.of(("ignore", number, "expiry")),
            "expired",
            f"ignore[{number}].expiry: over since {entry.expiry}; remove the entry, or give it another day "
            f"if it is still right: {entry.address} {entry.path}",
        )
        for number, entry in enumerate(entries)
        if date.fromisoformat(entry.expiry) < today
    ]
    if expired:
        raise InputError(expired)
    return entries


def sort_out(
    findings: Iterable[Finding], entries: Iterable[IgnoreEntry]
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...], tuple[str, ...]]:
    """What remains, what is ignored, and `address path` of entries that match nothing. Pure."""
    known = list(entries)
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    used: set[int] = set()
    for finding in findings:
        matching = [
            number
            for number, entry in enumerate(known)
            if entry.address == finding.address and entry.path in {ALL, finding.path}
        ]
        used.update(matching)
        if matching:
            entry = known[matching[0]]
            ignored.append(Ignored(finding, entry.reason, entry.expiry))
        else:
            kept.append(finding)
    unused = [f"{entry.address} {entry.path}" for number, entry in enumerate(known) if number not in used]
    return tuple(kept), tuple(ignored), tuple(unused)
