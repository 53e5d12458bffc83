"""A plan as a value: stages of changes, in the order in which `apply` walks them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.exitcode import ExitCode
from reconciler.expectation import Expectation
from reconciler.failure import Failure

FORMAT_VERSION = "1.0"
#: Fields whose path begins so are figures for people: what is done does not depend on them.
NOTES = "counts."


class Action(StrEnum):
    """What is done to one address."""

    CREATE = "create"
    UPLOAD = "upload"
    PUBLISH = "publish"  #: done by `corespec render` and `publish`, not by apply
    SYNC = "sync"
    LAUNCH = "launch"
    WAIT = "wait"  #: wanted, and held back by a limit or by what must come before
    DEPLOY = "deploy"  #: start a model server
    UPDATE = "update"  #: bring an admin object in line; give a model server another configuration
    STOP = "stop"
    PRUNE = "prune"  #: delete what no spec wants any more
    RETIRE = "retire"  #: no longer wanted; AI Core cannot delete it, so it is reported and never pending


class Category(StrEnum):
    """Why it matters."""

    ONBOARD = "onboard"
    DATA = "data"
    RETRAIN = "retrain"
    METADATA = "metadata"
    RUN = "run"
    SERVE = "serve"
    PRUNE = "prune"


class StageName(StrEnum):
    """The stages, in the order of their work."""

    ONBOARD = "onboard"
    PUBLISH = "publish"
    UPLOAD = "upload"
    REGISTER = "register"
    SYNC = "sync"
    CONFIGURE = "configure"
    STOP = "stop"
    LAUNCH = "launch"
    DEPLOY = "deploy"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True, order=True)
class FieldChange:
    """One differing field; None where it is absent on that side."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One step. `subject` is the desired or live object it acts on; it is not part of the plan's identity."""

    address: str
    action: Action
    category: Category
    reason: str
    name: str = ""  #: as AI Core shows it
    fields: tuple[FieldChange, ...] = ()
    subject: Any = field(default=None, repr=False, compare=False)
    failure: Failure | None = field(default=None, compare=False)  #: why the run before this one failed

    @property
    def deed(self) -> tuple[str, str, str, tuple[tuple[str, str | None, str | None], ...]]:
        """What is done, whatever the reason; a run that is held back is still the same run, and one that is
        stopped is stopped to be deleted.
        """
        later = Action.UPDATE if self.category is Category.SERVE else Action.LAUNCH
        action = later if self.action is Action.WAIT else self.action
        if self.category is Category.PRUNE:
            action = Action.PRUNE
        fields = tuple((f.path, f.before, f.after) for f in self.fields if not f.path.startswith(NOTES))
        return (self.address, action.value, self.name, fields)

    def document(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "action": self.action.value,
            "category": self.category.value,
            "name": self.name,
            "reason": self.reason,
            "before": {f.path: f.before for f in self.fields if f.before is not None},
            "after": {f.path: f.after for f in self.fields if f.after is not None},
            "paths": [f.path for f in self.fields],
            **({"failure": self.failure.document()} if self.failure else {}),
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """Changes that are carried out together, in their order."""

    name: StageName
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something that forbids the plan (error) or deserves a look (warning)."""

    address: str
    code: str
    message: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        return {"address": self.address, "code": self.code, "message": self.message, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Plan:
    """All between what is and what shall be. Only whole plans exist: an unreadable part raises instead."""

    environment: str
    stages: tuple[Stage, ...] = ()
    retired: tuple[Change, ...] = ()
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    #: addresses whose health is bad although nothing is to be done about it (stalled executions)
    unhealthy: tuple[Problem, ...] = ()
    #: a figure for people; the plan's identity does not depend on it
    expected: Expectation = field(default_factory=Expectation)

    @property
    def changes(self) -> tuple[Change, ...]:
        """All pending changes in the order of their execution; `retired` is not among them."""
        return tuple(self.iterate())

    def iterate(self) -> Iterator[Change]:
        for stage in self.stages:
            yield from stage.changes

    def of(self, name: StageName) -> tuple[Change, ...]:
        return next((stage.changes for stage in self.stages if stage.name is name), ())

    @property
    def empty(self) -> bool:
        return not any(stage.changes for stage in self.stages)

    @property
    def summary(self) -> dict[str, int]:
        """Count per action, zeros included, `retire` last."""
        counts = {action.value: 0 for action in Action}
        for change in (*self.changes, *self.retired):
            counts[change.action.value] += 1
        return counts

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the plan would do, reasons aside: plans can be compared across time."""
        content = [self.environment, [change.deed for change in self.changes]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def within(self, shown: Plan) -> bool:
        """Whether this plan does nothing that `shown` did not.

        AI Core moves on while a person reads: a sync ends, a slot becomes free. That needs no second look.
        """
        return {change.deed for change in self.changes} <= {change.deed for change in shown.changes}

    @property
    def exit_code(self) -> ExitCode:
        """2 forbidden, 4 stalled, 3 changes pending, 0 converged; the worst wins."""
        if self.errors:
            return ExitCode.REJECTED
        if self.unhealthy:
            return ExitCode.NOT_HEALTHY
        return ExitCode.CONVERGED if self.empty else ExitCode.PENDING

    def document(self) -> dict[str, Any]:
        """The plan for machines; keys are only ever added within one major `format_version`."""
        return {
            "format_version": FORMAT_VERSION,
            "kind": "Plan",
            "environment": self.environment,
            "summary": self.summary,
            "expected": self.expected.document(),
            "stages": [s.name.value for s in self.stages],
            "changes": [{"stage": s.name.value, **c.document()} for s in self.stages for c in s.changes],
            "retired": [c.document() for c in self.retired],
            "warnings": [p.document() for p in self.warnings],
            "errors": [p.document() for p in self.errors],
            "unhealthy": [p.document() for p in self.unhealthy],
            "plan_digest": self.digest,
        }


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
