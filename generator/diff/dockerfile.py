"""Dockerfiles: base images by stage, then the instructions that came, went or changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from generator.diff.model import Category, Change, Kind

_STAGE = re.compile(r"(?P<image>.*?)\s+AS\s+(?P<stage>\S+)\s*", re.IGNORECASE)


def diff_dockerfile(before: str, after: str) -> tuple[Change, ...]:
    """Changes between two Dockerfiles. Comments, blank lines and line breaks are no change."""
    old, new = _instructions(before), _instructions(after)
    return (*_bases(_stages(old), _stages(new)), *_others(_others_of(old), _others_of(new)))


def _instructions(text: str) -> list[str]:
    """One line for each instruction, blanks as one blank."""
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("#"))
    return [" ".join(line.split()) for line in re.sub(r"\\\n", " ", kept).splitlines()]


def _word(instruction: str) -> str:
    return instruction.partition(" ")[0].upper()


def _stages(instructions: list[str]) -> dict[str, str]:
    """Base image by stage: the name behind AS, or the stage's number where there are several."""
    found: dict[str, str] = {}
    for instruction in instructions:
        if _word(instruction) == "FROM":
            rest = instruction.partition(" ")[2]
            named = _STAGE.fullmatch(rest)
            name = f" {named['stage']}" if named else f" {len(found)}" if found else ""
            found[f"FROM{name}"] = named["image"] if named else rest
    return found


def _bases(before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    for stage in [*before, *(stage for stage in after if stage not in before)]:
        old, new = before.get(stage), after.get(stage)
        if old != new:
            yield _change(stage, old, new)


def _others_of(instructions: list[str]) -> list[str]:
    return [instruction for instruction in instructions if _word(instruction) != "FROM"]


def _others(before: list[str], after: list[str]) -> Iterator[Change]:
    for tag, low, high, start, end in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from _replaced(before[low:high], after[start:end])


def _replaced(before: list[str], after: list[str]) -> Iterator[Change]:
    for old, new in zip_longest(before, after):
        if old is not None and new is not None and _word(old) == _word(new):
            yield _change(_word(old), old.partition(" ")[2], new.partition(" ")[2])
            continue
        for line, kind in ((old, Kind.REMOVED), (new, Kind.ADDED)):
            if line is not None:
                value = line.partition(" ")[2]
                yield _change(_word(line), *((value, None) if kind is Kind.REMOVED else (None, value)))


def _change(address: str, before: str | None, after: str | None) -> Change:
    kind = Kind.ADDED if before is None else Kind.REMOVED if after is None else Kind.CHANGED
    return Change(address, kind, before, after, Category.IMAGE)
