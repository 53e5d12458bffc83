"""What `adopt` has found, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Left", "Object", "Unmanaged"]


@dataclass(frozen=True, slots=True, order=True)
class Object:
    """One object of AI Core that no spec owns, and its address in the spec once it is adopted."""

    kind: str  #: artifact, configuration, execution or deployment
    id: str
    name: str  #: as AI Core shows it
    status: str = ""
    address: str = ""
    owner: str = ""  #: the label by which somebody else claims it, or its data

    def document(self) -> dict[str, str]:
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "address": self.address,
            "owner": self.owner,
        }


@dataclass(frozen=True, slots=True, order=True)
class Left:
    """One object that cannot be adopted, and why."""

    kind: str
    id: str
    name: str
    reason: str

    def document(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id, "name": self.name, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """What can be adopted (`entries`: section -> name -> entry, as YAML will hold it), and what cannot."""

    objects: tuple[Object, ...] = ()
    left: tuple[Left, ...] = ()
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
