"""Locks of packages as pip reads them: every package with its version and the hashes of its wheels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, order=True)
class Pin:
    """One package of a lock; `hashes` are SHA-256 in hex, one for each wheel that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        hashes = " \\\n    ".join(f"--hash=sha256:{value}" for value in self.hashes)
        return f"{self.name}=={self.version} \\\n    {hashes}\n"


def normalized(name: str) -> str:
    """The one spelling of a package's name (PyPA: name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_text(pins: Iterable[Pin]) -> str:
    """A lock, sorted by package."""
    return "".join(str(pin) for pin in sorted(pins))


def parse_lock(text: str) -> list[Pin]:
    """The packages of a lock that `lock_text` wrote."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        entry = _ENTRY.match(line)
        if entry:
            found.append(Pin(entry["name"], entry["version"], tuple(_HASH.findall(line))))
    return found
