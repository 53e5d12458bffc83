"""A plan as a file: looked at by somebody, and then carried out as it was shown or not at all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generator.spec.environment import Environment
from reconciler.errors import InputRejectedError
from reconciler.plan_model import (
    FORMAT_VERSION,
    Action,
    Category,
    Change,
    FieldChange,
    Plan,
    Problem,
    Stage,
    StageName,
    counted,
)
from reconciler.prune import Permission

__all__ = ["NOT_SHOWN", "Origin", "PlanFile", "origin", "read_plan"]

NOT_SHOWN = "not-shown"
#: Differences that are named when a plan is stale.
_NAMED = 10
#: Parts of an environment on which no change depends.
_ASIDE = {"metadata", "daemon", "notifications"}
_AGAIN = "Make it anew, and have it looked at: corespec plan --out FILE"


class _Commit(Protocol):
    @property
    def commit(self) -> str: ...

    @property
    def dirty(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """From what a plan was made; no part of its identity."""

    spec_commit: str  #: what was checked out, "" before the first commit
    specs_dirty: bool  #: whether the specs held changes that nobody had committed
    live_observed_at: datetime
    environment_digest: str
    max_launches: int | None = None  #: allowed instead of the policy's limit
    prune: Permission | None = None  #: None: nothing is taken away

    def document(self) -> dict[str, Any]:
        return {
            "spec_commit": self.spec_commit,
            "specs_dirty": self.specs_dirty,
            "live_observed_at": self.live_observed_at.isoformat(),
            "environment_digest": self.environment_digest,
            "max_launches": self.max_launches,
            "prune": None if self.prune is None else asdict(self.prune),
        }


def origin(
    environment: Environment,
    base_url: str,
    git: _Commit,
    observed_at: datetime,
    max_launches: int | None,
    prune: Permission | None = None,
) -> Origin:
    """Of a plan that was made just now. The environment holds references to secrets, and no secret."""
    content = [base_url, environment.model_dump(mode="json", exclude=_ASIDE)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Origin(git.commit, git.dirty, observed_at, digest, max_launches, prune)


class _Part(BaseModel):
    """Keys that a later minor version has added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)


class _ChangePart(_Part):
    stage: StageName
    address: str
    action: Action
    category: Category
    name: str
    reason: str = ""
    before: dict[str, str]
    after: dict[str, str]
    paths: list[str]

    def change(self) -> Change:
        fields = tuple(FieldChange(path, self.before.get(path), self.after.get(path)) for path in self.paths)
        return Change(self.address, self.action, self.category, self.reason, self.name, fields)


class _PermissionPart(_Part):
    limit: int | None = Field(ge=0)
    stop_running: bool


class _Document(_Part):
    environment: str
    changes: list[_ChangePart]
    plan_digest: str
    environment_digest: str
    spec_commit: str
    max_launches: int | None = Field(ge=0)
    prune: _PermissionPart | None = None  # absent in files of earlier versions


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan that was read back: `plan` holds its changes, not what they act on."""

    path: str  #: as the user named it, for messages
    plan: Plan
    environment_digest: str
    spec_commit: str
    max_launches: int | None
    prune: Permission | None = None

    @property
    def environment(self) -> str:
        return self.plan.environment

    def check_environment(self, name: str) -> None:
        """Raise InputRejectedError for another environment than the one it was made for."""
        if name != self.environment:
            raise InputRejectedError(
                f"{self.path} is a plan for environment {self.environment}, not for {name}.",
                remedy=f"Apply it with -e {self.environment}, or without -e.",
            )

    def check(self, now: Plan, made: Origin) -> None:
        """Raise InputRejectedError, saying what differs, unless `now` does exactly what this file shows."""
        self.check_environment(now.environment)
        if made.environment_digest != self.environment_digest:
            raise InputRejectedError(
                f"{self.path} is stale: environment {self.environment} has been changed, or its key leads to "
                "another AI Core.",
                remedy=_AGAIN,
            )
        if now.digest != self.plan.digest:
            differing = "\n".join(f"  {line}" for line in differences(self.plan, now))
            raise InputRejectedError(
                f"{self.path} is stale: specs, data or AI Core have moved on since it was made.\n{differing}",
                remedy=_AGAIN,
            )

    def part_of(self, now: Plan, *, same_specs: bool) -> Plan:
        """What of a later plan this file has shown.

        A change that was shown, and what a step shown as waiting has become: its name was not known then.
        That needs `same_specs`, the specs of the beginning.
        """
        deeds = {change.deed for change in self.plan.changes}
        awaited = {c.address for c in self.plan.changes if c.action is Action.WAIT and not c.name}
        become = {c.name for c in now.changes if c.name and c.address in awaited}

        def shown(change: Change) -> bool:
            follows = same_specs and (change.address in awaited or change.name in become)
            return change.deed in deeds or follows

        stages = (replace(s, changes=tuple(filter(shown, s.changes))) for s in now.stages)
        return replace(now, stages=tuple(stage for stage in stages if stage.changes))

    def left(self, now: Plan, *, same_specs: bool) -> tuple[Problem, ...]:
        """A warning where `now` holds what this file has not shown."""
        number = len(now.changes) - len(self.part_of(now, same_specs=same_specs).changes)
        if not number:
            return ()
        message = f"{counted(number, 'change')} left alone: {self.path} does not show them"
        return (Problem(f"environment/{self.environment}", NOT_SHOWN, message, "Plan again for them."),)


def differences(before: Plan, now: Plan) -> list[str]:
    """What one plan does and the other does not, a line for each; never empty for plans that differ."""
    old = Counter(change.deed for change in before.changes)
    new = Counter(change.deed for change in now.changes)
    gone, came = _spoken(old - new), _spoken(new - old)
    both = [text for text in gone if text in came]
    lines = [
        *(f"no longer to do: {text}" for text in gone if text not in both),
        *(f"new: {text}" for text in came if text not in both),
        *(f"with other fields: {text}" for text in both),
    ] or ["the order of its changes"]
    if len(lines) > _NAMED:
        lines[_NAMED:] = [f"and {len(lines) - _NAMED} more"]
    return lines


def _spoken(deeds: Iterable[tuple[str, str, str, Any]]) -> list[str]:
    return [f"{action} {address} {name}".rstrip() for address, action, name, _ in deeds]


def read_plan(path: Path) -> PlanFile:
    """Read what `corespec plan --out` or `-o json` has written.

    Raises InputRejectedError for anything else: another format, damage, changes by hand.
    """
    content = _content(path)
    version = content.get("format_version")
    if content.get("kind") != "Plan" or not isinstance(version, str):
        raise InputRejectedError(f"{path} holds no plan.", remedy=_AGAIN)
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise InputRejectedError(
            f"{path} was made by another version of corespec: its format is {version}, "
            f"this one reads {FORMAT_VERSION}.",
            remedy=f"Apply it with the version that made it. {_AGAIN}",
        )
    try:
        document = _Document.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputRejectedError(f"{path} is damaged: {where}: {first['msg']}", remedy=_AGAIN) from None
    plan = Plan(document.environment, tuple(_stages(document.changes)))
    if plan.digest != document.plan_digest:
        raise InputRejectedError(
            f"{path} was changed after it was made: its plan_digest is not that of its changes.",
            remedy=_AGAIN,
        )
    return PlanFile(
        str(path),
        plan,
        document.environment_digest,
        document.spec_commit,
        document.max_launches,
        Permission(**document.prune.model_dump()) if document.prune else None,
    )


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputRejectedError(f"{path} cannot be read: {error.strerror}.", remedy=_AGAIN) from None
    except (ValueError, RecursionError):
        raise InputRejectedError(f"{path} is damaged: it is no JSON.", remedy=_AGAIN) from None
    if not isinstance(content, dict):
        raise InputRejectedError(f"{path} holds no plan.", remedy=_AGAIN)
    return content


def _stages(parts: list[_ChangePart]) -> Iterator[Stage]:
    for name, members in groupby(parts, key=lambda part: part.stage):
        yield Stage(name, tuple(part.change() for part in members))
