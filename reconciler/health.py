"""What the state of one thing means: one pure function per kind, one closed list of reasons.

The rows of `status`, the plan's decision to launch, and the exit code all rest on these functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.failure import Failure, classify
from reconciler.live import (
    ACTIVE_STATES,
    FAILED_STATES,
    STOPPED_STATES,
    ApplicationStatus,
    Deployment,
    Execution,
)


class Sync(StrEnum):
    """Whether AI Core holds what the specs ask for."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """How a thing does, from best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why. Closed list, safe to build alerts on."""

    READY = "Ready"
    COMPLETED = "Completed"
    RUNNING = "Running"
    QUEUED = "Queued"
    SERVING = "Serving"
    NO_MODEL = "NoEligibleModel"
    NOT_WANTED = "NotWanted"
    NOT_STARTED = "NotStarted"
    RETRYING = "Retrying"
    STALLED = "Stalled"
    STOPPED_BY_HAND = "StoppedByHand"
    TIMED_OUT = "TimedOut"
    WAITING_FOR_RERUN = "WaitingForRerunTime"
    WAITING_FOR_DEPENDENCY = "WaitingForDependency"
    SUSPENDED = "Suspended"
    OBSERVED = "Observed"
    SYNC_FAILED = "SyncFailed"
    SYNCING = "Syncing"
    ABSENT = "Absent"
    UNREADABLE = "Unreadable"


_ORDER = tuple(Health)


def worst(states: Iterable[Health]) -> Health:
    """Roll-up: the worst of all, Healthy when there are none."""
    return max(states, key=_ORDER.index, default=Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Health with its reason and one sentence for people."""

    health: Health
    reason: Reason
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunBudget:
    """What an execution spec asks for."""

    want: int = 1
    retries: int = 2
    rerun_after: datetime | None = None
    timeout: timedelta | None = None
    backoff: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """The runs of one configuration that count, and what follows from them."""

    verdict: Verdict
    launches: int = 0  #: executions to start, before any limit on concurrency
    not_before: datetime | None = None  #: when they may be started; None: now
    overdue: tuple[Execution, ...] = ()  #: running longer than the timeout: to be stopped
    latest: Execution | None = None
    failed: Execution | None = None  #: the last of the failed ones that count
    failure: Failure | None = None  #: why that one failed


def execution(run: Execution) -> Verdict:
    """Health of a single execution."""
    if run.status == "COMPLETED":
        return Verdict(Health.HEALTHY, Reason.COMPLETED)
    if run.status in FAILED_STATES:
        return Verdict(Health.DEGRADED, Reason.STALLED, run.message)
    if run.status in STOPPED_STATES:
        return Verdict(Health.SUSPENDED, Reason.STOPPED_BY_HAND, run.message)
    if run.status == "RUNNING":
        return Verdict(Health.PROGRESSING, Reason.RUNNING, run.message)
    if run.active:
        return Verdict(Health.PROGRESSING, Reason.QUEUED, run.message)
    return Verdict(Health.UNKNOWN, Reason.UNREADABLE, f"AI Core reports the state {run.status}")


def runs(
    budget: RunBudget,
    executions: Sequence[Execution],
    now: datetime,
    failures: Mapping[str, Failure] | None = None,
) -> RunState:
    """Level-triggered: are `want` runs completed since `rerun_after`, and if not, what is to be done?

    * Runs under way count as pending success, whenever they were created.
    * DEAD runs, and runs stopped after their timeout, use up the `retries`; then the execution is stalled
      and no run is started until the spec changes.
    * A run that must fail again in the same way (bad data or parameters) stalls the execution at once.
      `failures`: what the logs of failed runs have told, by id; else their status tells, or nothing.
    * A run that a person stopped suspends the execution: a new one starts only after `rerunAfter` is moved.
    """
    since = budget.rerun_after
    if budget.want == 0:
        return RunState(Verdict(Health.HEALTHY, Reason.NOT_WANTED))
    counted = [run for run in executions if since is None or run.created_at >= since]
    latest = max(counted or executions, key=lambda run: (run.created_at, run.id), default=None)
    active = [run for run in executions if run.active]
    # AI Core refuses to stop what it has not begun to schedule (UNKNOWN).
    scheduled = [run for run in active if run.status in {"RUNNING", "PENDING"}]
    overdue = tuple(run for run in scheduled if _longer_than(budget.timeout, run, now))
    completed = sum(run.status == "COMPLETED" for run in counted)
    timed_out = [
        run for run in counted if run.status in STOPPED_STATES and _stopped_late(budget.timeout, run)
    ]
    failed = [run for run in counted if run.status in FAILED_STATES] + timed_out
    stopped = [run for run in counted if run.status in STOPPED_STATES and run not in timed_out]
    missing = budget.want - completed - len(active)
    last = max(
        (run for run in failed if run not in timed_out), key=lambda r: (r.created_at, r.id), default=None
    )
    failure = _failure(last, failures or {}) if last else None

    def state(
        health: Health,
        reason: Reason,
        message: str = "",
        launches: int = 0,
        not_before: datetime | None = None,
    ) -> RunState:
        verdict = Verdict(health, reason, message)
        return RunState(verdict, launches, not_before, overdue, latest, last, failure)

    if completed >= budget.want:
        return state(Health.HEALTHY, Reason.COMPLETED)
    if missing <= 0:
        running = any(run.status == "RUNNING" for run in active)
        return state(Health.PROGRESSING, Reason.RUNNING if running else Reason.QUEUED)
    if since is not None and now < since:
        return state(Health.SUSPENDED, Reason.WAITING_FOR_RERUN, f"rerunAfter is {since.isoformat()}")
    if last and failure and failure.repeats:
        message = f"{last.id} would fail in the same way again: {failure}"
        return state(Health.DEGRADED, Reason.STALLED, message)
    if len(failed) > budget.retries:
        return state(Health.DEGRADED, Reason.STALLED, _because(_why_stalled(failed, budget), failure))
    if stopped and missing <= len(stopped):
        return state(Health.SUSPENDED, Reason.STOPPED_BY_HAND, "set rerunAfter to start it again")
    launches = missing - len(stopped)
    if failed:
        moment = _retry_at(failed, budget.backoff)
        later = moment if moment and moment > now else None
        message = _because(_attempt(failed, budget), failure)
        return state(Health.PROGRESSING, Reason.RETRYING, message, launches, later)
    return state(Health.MISSING, Reason.NOT_STARTED, "", launches)


def _failure(run: Execution, failures: Mapping[str, Failure]) -> Failure:
    return failures.get(run.id) or classify(run.message, run.details)


def _because(message: str, failure: Failure | None) -> str:
    """The message, and who is to blame, where that is known."""
    why = str(failure) if failure else ""
    return f"{message} ({why})" if why else message


def deployment_health(server: Deployment) -> Verdict:
    """Health of a model server."""
    if server.ended:
        return Verdict(Health.SUSPENDED, Reason.STOPPED_BY_HAND, server.message)
    if server.status == "RUNNING":
        return Verdict(Health.HEALTHY, Reason.SERVING, server.message)
    if server.status in FAILED_STATES:
        return Verdict(Health.DEGRADED, Reason.STALLED, server.message)
    if server.status in ACTIVE_STATES:
        return Verdict(Health.PROGRESSING, Reason.QUEUED, server.message)
    return Verdict(Health.UNKNOWN, Reason.UNREADABLE, f"AI Core reports the state {server.status}")


def application(status: ApplicationStatus | None) -> Verdict:
    """Health of the Git sync."""
    if status is None:
        return Verdict(Health.MISSING, Reason.ABSENT, "the application does not exist in AI Core")
    if status.errors:
        return Verdict(Health.DEGRADED, Reason.SYNC_FAILED, "; ".join(status.errors))
    if status.sync == "Synced":
        return Verdict(Health.HEALTHY, Reason.READY)
    if status.sync == "Unknown" and status.message not in {"", "Unknown"}:
        return Verdict(Health.DEGRADED, Reason.SYNC_FAILED, status.message)
    return Verdict(Health.PROGRESSING, Reason.SYNCING, status.message)


def _longer_than(timeout: timedelta | None, run: Execution, now: datetime) -> bool:
    return timeout is not None and now - (run.started_at or run.created_at) > timeout


def _stopped_late(timeout: timedelta | None, run: Execution) -> bool:
    ended = run.completed_at or run.modified_at
    return timeout is not None and ended - (run.started_at or run.created_at) >= timeout


def _retry_at(failed: Sequence[Execution], backoff: timedelta | None) -> datetime | None:
    """When the next try may begin: after the last failure's end, twice as long for each failure."""
    if backoff is None:
        return None
    ends = [run.completed_at or run.modified_at for run in failed]
    waits: timedelta = backoff * float(2 ** (len(failed) - 1))
    return max(ends) + waits


def _why_stalled(failed: Sequence[Execution], budget: RunBudget) -> str:
    last = max(failed, key=lambda run: (run.created_at, run.id))
    said = f": {last.message}" if last.message else ""
    return f"runs failed: {len(failed)}, retries allowed: {budget.retries}; the last, {last.id}{said}"


def _attempt(failed: Sequence[Execution], budget: RunBudget) -> str:
    last = max(failed, key=lambda run: (run.created_at, run.id))
    said = f": {last.message}" if last.message else ""
    return f"retry {len(failed)} of {budget.retries} after {last.id} ended {last.status}{said}"
