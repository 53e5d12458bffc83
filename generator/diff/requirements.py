"""Requirement files: versions of packages, options, and hashes that changed under the same version."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.diff.model import Category, Change, Kind

_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>.*)")
_HASH = re.compile(r"--hash[= ](\S+)")
_CREDENTIALS = re.compile(r"(\w+://)[^/\s]*@")

_Entry = tuple[str, frozenset[str]]  # what is wanted of a package, and the hashes that its files may have


def diff_requirements(before: str, after: str) -> tuple[Change, ...]:
    """Changes between two requirement files. Comments, order and line breaks are no change."""
    return tuple(_changes(_entries(before), _entries(after)))


def _changes(before: dict[str, _Entry], after: dict[str, _Entry]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            kind = Kind.ADDED if old is None else Kind.REMOVED
            yield Change(name, kind, old and old[0], new and new[0], Category.IMAGE)
        elif old[0] != new[0]:
            yield Change(name, Kind.CHANGED, old[0], new[0], Category.IMAGE)
        elif old[1] != new[1]:
            yield Change(f"{name} (hashes)", Kind.CHANGED, _count(old[1]), _count(new[1]), Category.IMAGE)


def _count(hashes: frozenset[str]) -> str:
    first = min(hashes, default="")[:19]
    return f"{len(hashes)}: {first}…" if hashes else "none"


def _entries(text: str) -> dict[str, _Entry]:
    """Entries by package (with its environment marker) or option; URLs without their credentials."""
    joined = _COMMENT.sub("", re.sub(r"\\\r?\n", " ", text))
    found: dict[str, _Entry] = {}
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, value = _entry(_CREDENTIALS.sub(r"\1", line))
        hashes = frozenset(_HASH.findall(line))
        if name in found:  # an option that may stand several times
            value, hashes = f"{found[name][0]}, {value}", found[name][1] | hashes
        found[name] = (value, hashes)
    return found


def _entry(line: str) -> tuple[str, str]:
    match = None if line.startswith("-") else _REQUIREMENT.fullmatch(_HASH.sub("", line).strip())
    if match is None:
        option, _, value = line.replace("=", " ", 1).partition(" ")
        return option, value.strip()
    wanted, _, marker = match["rest"].partition(";")
    name = re.sub(r"[-_.]+", "-", match["name"]).lower() + (match["extras"] or "")
    version = "".join(wanted.split()).removeprefix("==")
    return f"{name}; {' '.join(marker.split())}" if marker.strip() else name, version
