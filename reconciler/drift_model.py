"""What `drift` has found, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reconciler.exitcode import ExitCode
from reconciler.live import Executable
from reconciler.plan_model import FORMAT_VERSION

__all__ = ["Drift", "DriftKind", "Finding"]


class DriftKind(StrEnum):
    """What somebody did. Closed list, safe to build alerts on."""

    EXECUTION_STOPPED = "execution-stopped"
    EXECUTION_DELETED = "execution-deleted"
    EXECUTION_STRAY = "execution-stray"
    DEPLOYMENT_STOPPED = "deployment-stopped"
    DEPLOYMENT_STRAY = "deployment-stray"
    CONFIGURATION_FOREIGN = "configuration-foreign"
    REPOSITORY_CHANGED = "repository-changed"
    APPLICATION_CHANGED = "application-changed"
    RESOURCE_GROUP_CHANGED = "resource-group-changed"
    OBJECT_STORE_CHANGED = "object-store-changed"
    REVISION_FOREIGN = "revision-foreign"
    EXECUTABLE_CHANGED = "executable-changed"
    DATASET_MISSING = "dataset-missing"
    DATASET_CHANGED = "dataset-changed"
    DATASET_EXTRA = "dataset-extra"
    IMAGE_MOVED = "image-moved"
    IMAGE_MISSING = "image-missing"
    RENDERED_EDITED = "rendered-edited"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One difference that no spec explains. `path` says which part of the address it is about."""

    address: str
    path: str
    kind: DriftKind
    found: str  #: what is
    wanted: str  #: what should be
    remedy: str

    def document(self) -> dict[str, str]:
        return {
            "address": self.address,
            "path": self.path,
            "kind": self.kind.value,
            "found": self.found,
            "wanted": self.wanted,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Intent:
    """How many runs a spec commit asked for, since when they count, and when it had them stopped."""

    want: int
    since: datetime | None = None
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What an object store lists for a dataset, and what its manifest says: bytes by path."""

    found: Mapping[str, int]
    wanted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ImageState:
    """A tag, the digest that is locked for it, and the one that its registry has (None: no such tag)."""

    reference: str
    locked: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read besides `Live`; complete, or not made at all."""

    rendered: Mapping[str, bytes]  #: what the specs of the commit render, by path
    published: Mapping[str, bytes]  #: what the branch holds in the environment's folder of rendered/
    #: paths of `rendered/` that an earlier spec commit, or another version of this program, explains
    explained: frozenset[str] = frozenset()
    #: executable id -> its template at the revision that AI Core has synced, where it has synced it
    synced: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    on_branch: bool = True  #: whether the branch holds the revision that AI Core has synced
    executables: tuple[Executable, ...] = ()
    shelves: Mapping[str, Shelf] = field(default_factory=dict)  #: by address of the dataset
    intents: Mapping[str, tuple[Intent, ...]] = field(default_factory=dict)  #: of the past, by configuration
    images: tuple[ImageState, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that `drift-ignore.yaml` names."""

    finding: Finding
    reason: str
    expiry: str  #: the last day on which it is ignored, `YYYY-MM-DD`

    def document(self) -> dict[str, str]:
        return {**self.finding.document(), "reason": self.reason, "expiry": self.expiry}


@dataclass(frozen=True, slots=True)
class Drift:
    """All that somebody else changed. Only whole ones exist: an unreadable part raises instead."""

    environment: str
    commit: str  #: the head of the branch: its specs are what everything is compared with
    observed_at: datetime
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unused: tuple[str, ...] = ()  #: entries of `drift-ignore.yaml` that name nothing any more
    images_asked: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """3 when something was found that nothing ignores, else 0."""
        return ExitCode.PENDING if self.findings else ExitCode.CONVERGED

    def document(self) -> dict[str, Any]:
        """The report for machines; keys are only ever added within one major `format_version`."""
        return {
            "format_version": FORMAT_VERSION,
            "kind": "Drift",
            "environment": self.environment,
            "spec_commit": self.commit,
            "observed_at": self.observed_at.isoformat(),
            "images_asked": self.images_asked,
            "summary": dict(sorted(Counter(f.kind.value for f in self.findings).items())),
            "findings": [finding.document() for finding in self.findings],
            "ignored": [ignored.document() for ignored in self.ignored],
            "unused_ignores": list(self.unused),
            "exit_code": int(self.exit_code),
        }
