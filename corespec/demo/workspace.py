"""Where the demo works: one folder for each dataset, and nothing outside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HOME = Path(".demo")
DRAWN = "meter-reading"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one demo; `scenario` is legal as an AI Core scenario id and as an executable's name."""

    root: Path
    scenario: str

    @property
    def origin(self) -> Path:
        """The bare repository that plays the GitOps server."""
        return self.root / "gitops.git"

    @property
    def project(self) -> Path:
        """The user's clone of it: specs/ and rendered/."""
        return self.root / self.scenario

    @property
    def local(self) -> Path:
        """Data folder of the local AI Core."""
        return self.root / "local"

    @property
    def drawings(self) -> Path:
        """Where the demo draws its own pictures."""
        return self.root / "counters"

    @property
    def reading(self) -> Path:
        """The picture that was read, with its boxes."""
        return self.root / "reading.png"


def workspace(data: Path | None, home: Path = HOME) -> Workspace:
    """The workspace of the drawn meters, or of a user's folder under its own name."""
    if data is None:
        return Workspace(home, DRAWN)
    name = slug(data.resolve().name)
    return Workspace(home / name, name)


def slug(name: str) -> str:
    """A folder's name as a scenario id of 4 to 40 characters that no folder of the drawn demo bears."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "data"
    taken = {DRAWN, "local", "counters"}
    short = len(plain) < 4 or plain in taken or not plain[0].isalpha()
    return f"data-{plain}" if short else plain
