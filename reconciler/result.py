"""How an apply is asked for, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.clock import POLL_SECONDS
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Plan

if TYPE_CHECKING:
    from reconciler.apply import Applied
    from reconciler.prune import Permission
    from reconciler.status import Status
    from reconciler.watch import Progress


@dataclass(frozen=True, slots=True)
class Options:
    """How an apply behaves. Times in seconds."""

    wait: bool = True  #: until every execution that is wanted has ended
    max_launches: int | None = None  #: instead of policy.maxLaunchesPerApply
    prune: Permission | None = None  #: take away what no spec wants any more; None: nothing
    lock_timeout: float = 0.0
    sync_timeout: float = 600.0
    poll_seconds: float = POLL_SECONDS


@dataclass(frozen=True, slots=True)
class Result:
    """What an apply has done and how things stand after it."""

    plan: Plan  #: what was asked for at the beginning
    applied: tuple[Applied, ...]
    ended: tuple[Progress, ...]  #: executions that ended while we waited
    final: Plan  #: what is still to do
    status: Status

    @property
    def exit_code(self) -> ExitCode:
        """0 converged, 3 something is held back, 4 not healthy; errors are raised instead."""
        return self.final.exit_code
