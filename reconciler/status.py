"""One row per address: does AI Core hold it, and how does it do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reconciler.bindings import bind
from reconciler.desired import Desired, DesiredConfiguration, DesiredExecution, Onboarding
from reconciler.failure import Failure
from reconciler.figures import split_of
from reconciler.find import find_artifacts, find_configurations, known_artifact
from reconciler.health import Health, Reason, RunState, Sync, Verdict, application, worst
from reconciler.live import Configuration, Live, Metric, Metrics
from reconciler.onboarding import find_application
from reconciler.plan_model import FORMAT_VERSION
from reconciler.promotion import Promotion, Step, promotion_health, promotions
from reconciler.revisions import revisions
from reconciler.runs import run_states
from reconciler.suspension import overdue

__all__ = ["Status", "StatusRow", "split_of"]

#: The metric shown in the overview.
BEST_METRIC = "mAP/allClasses"
#: Splits by how much their figure says about new pictures.
_SPLITS = ("test", "validation", "train", "")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """`since` is when the state began as far as AI Core tells; `best` is the best `mAP/allClasses`, 0..1.

    `revision`: what AI Core holds of it, where it is in sync: a commit, or the first digits of a fingerprint.
    """

    address: str
    sync: Sync
    health: Health
    reason: Reason
    message: str = ""
    since: datetime | None = None
    execution: str | None = None
    best: float | None = None
    deployment: str | None = None  #: id of a model server
    url: str | None = None  #: where it answers
    failure: Failure | None = None  #: why the last failed run has failed, while it is not made good
    revision: str = ""
    alert: str = ""  #: something that somebody should see to, whatever the health

    def document(self, now: datetime) -> dict[str, Any]:
        server = {"deployment": self.deployment, "deployment_url": self.url or ""} if self.deployment else {}
        return {
            "address": self.address,
            "sync": self.sync.value,
            "health": self.health.value,
            "reason": self.reason.value,
            "message": self.message,
            "alert": self.alert or None,
            "since": self.since.isoformat() if self.since else None,
            "age_seconds": int((now - self.since).total_seconds()) if self.since else None,
            "revision": self.revision,
            "execution": self.execution,
            "failure": self.failure.document() if self.failure else None,
            "best": {"metric": BEST_METRIC, "value": self.best} if self.best is not None else None,
            **server,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """All rows of one environment."""

    environment: str
    observed_at: datetime
    revision: str  #: what AI Core has synced
    rows: tuple[StatusRow, ...]

    @property
    def health(self) -> Health:
        return worst(row.health for row in self.rows)

    def document(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "kind": "Status",
            "environment": self.environment,
            "observed_at": self.observed_at.isoformat(),
            "revision": self.revision,
            "health": self.health.value,
            "rows": [row.document(self.observed_at) for row in self.rows],
        }


def status(desired: Desired, live: Live, metrics: Mapping[str, Metrics]) -> Status:
    """The state of everything wanted; `metrics` by execution id, for the figures."""
    desired = bind(desired, live)
    states = run_states(desired, live)
    alerts = {address: problem.message for address, problem in overdue(desired, live.observed_at).items()}
    serving = promotions(desired, live)
    rows = [
        *_secrets(desired.onboarding, live),
        _application(desired, live),
        *_templates(desired, live),
        *_datasets(desired, live),
        *_artifacts(desired, live),
        *_configurations(desired, live),
        *(_execution(wanted, states[wanted.address], metrics) for wanted in desired.executions),
        *(_deployment(promotion) for promotion in serving),
    ]
    revision = live.application_status.revision if live.application_status else ""
    held = revisions(desired, live, serving)
    told = tuple(
        replace(
            row,
            alert=alerts.get(row.address, ""),
            revision=held.get(row.address, "") if row.sync is Sync.SYNCED else "",
        )
        for row in rows
    )
    return Status(desired.environment, live.observed_at, revision, told)


def executions_shown(desired: Desired, live: Live) -> tuple[str, ...]:
    """Ids of the executions whose metrics the status shows."""
    states = run_states(bind(desired, live), live)
    return tuple(sorted({state.latest.id for state in states.values() if state.latest}))


def best(metrics: Metrics | None, name: str = BEST_METRIC) -> float | None:
    """The highest value of a metric on the split that says most: test before validation before training."""
    if metrics is None:
        return None
    values = [metric for metric in metrics.metrics if metric.name == name]
    for split in _SPLITS:
        if of_split := [m.value for m in values if split_of(m) == split]:
            return max(of_split)
    return None


def latest(values: Iterable[Metric], name: str) -> Metric | None:
    """The value of a metric with the highest step."""
    return max((m for m in values if m.name == name), key=lambda m: m.step or 0, default=None)


def _secrets(want: Onboarding, live: Live) -> Iterable[StatusRow]:
    """Generic secrets; what they hold is compared by the plan alone, which reads the values."""
    for name in want.secrets:
        known = name in live.secrets
        verdict = Verdict(Health.HEALTHY, Reason.READY) if known else Verdict(Health.MISSING, Reason.ABSENT)
        yield _row(f"secret/{name}", Sync.SYNCED if known else Sync.OUT_OF_SYNC, verdict)


def _application(desired: Desired, live: Live) -> StatusRow:
    found = find_application(desired.onboarding, live.applications)
    verdict = application(live.application_status if found else None)
    sync = Sync.SYNCED if verdict.health is Health.HEALTHY else Sync.OUT_OF_SYNC
    return _row(f"application/{desired.onboarding.application}", sync, verdict)


def _templates(desired: Desired, live: Live) -> Iterable[StatusRow]:
    for template in desired.templates:
        state = live.templates.get(template.executable)
        if state and state.synced:
            yield _row(template.address, Sync.SYNCED, Verdict(Health.HEALTHY, Reason.READY))
        elif state and state.message:
            verdict = Verdict(Health.DEGRADED, Reason.SYNC_FAILED, state.message)
            yield _row(template.address, Sync.OUT_OF_SYNC, verdict)
        else:
            message = "" if state and state.published else "rendered/ on the branch is stale"
            yield _row(
                template.address, Sync.OUT_OF_SYNC, Verdict(Health.PROGRESSING, Reason.SYNCING, message)
            )


def _datasets(desired: Desired, live: Live) -> Iterable[StatusRow]:
    for dataset in desired.datasets:
        found = find_artifacts(dataset, live.artifacts)
        uploaded = f"{dataset.store}/{dataset.prefix}" in live.complete_uploads
        if found and uploaded:
            verdict = Verdict(Health.HEALTHY, Reason.READY, dataset.url)
            yield _row(dataset.address, Sync.SYNCED, verdict, found[0].created_at)
        else:
            missing = "not registered" if uploaded else "not uploaded"
            yield _row(dataset.address, Sync.OUT_OF_SYNC, Verdict(Health.MISSING, Reason.ABSENT, missing))


def _artifacts(desired: Desired, live: Live) -> Iterable[StatusRow]:
    for wanted in desired.artifacts:
        found = known_artifact(wanted, live.artifacts)
        if found:
            verdict = Verdict(Health.HEALTHY, Reason.READY, found.url)
            yield _row(wanted.address, Sync.SYNCED, verdict, found.created_at)
        else:
            missing = Verdict(Health.MISSING, Reason.ABSENT, wanted.id or wanted.url)
            yield _row(wanted.address, Sync.OUT_OF_SYNC, missing)


def _configurations(desired: Desired, live: Live) -> Iterable[StatusRow]:
    for wanted in desired.configurations:
        found = find_configurations(wanted, live)
        if found:
            verdict = _present(wanted, found[0])
            yield _row(wanted.address, Sync.SYNCED, verdict, found[0].created_at)
        else:
            yield _row(wanted.address, Sync.OUT_OF_SYNC, _absent(wanted))


def _present(wanted: DesiredConfiguration, found: Configuration) -> Verdict:
    if wanted.adopted is None or found.id != wanted.adopted.id:
        return Verdict(Health.HEALTHY, Reason.READY, wanted.full_name)
    if wanted.observed:
        return Verdict(Health.HEALTHY, Reason.OBSERVED, f"{found.name} ({found.id}), only observed")
    return Verdict(Health.HEALTHY, Reason.READY, f"{found.name} ({found.id}), adopted")


def _absent(wanted: DesiredConfiguration) -> Verdict:
    if wanted.observed and wanted.adopted:
        return Verdict(Health.MISSING, Reason.ABSENT, f"AI Core has no {wanted.adopted.id}")
    if wanted.waits_for:
        message = f"waits for {', '.join(wanted.waits_for)}"
        return Verdict(Health.PROGRESSING, Reason.WAITING_FOR_DEPENDENCY, message)
    return Verdict(Health.MISSING, Reason.ABSENT, wanted.full_name)


def _execution(wanted: DesiredExecution, state: RunState, metrics: Mapping[str, Metrics]) -> StatusRow:
    run = state.latest
    since = (run.completed_at or run.modified_at) if run else None
    return StatusRow(
        address=wanted.address,
        sync=Sync.OUT_OF_SYNC if state.launches else Sync.SYNCED,
        health=state.verdict.health,
        reason=state.verdict.reason,
        message=state.verdict.message,
        since=since,
        execution=run.id if run else None,
        failure=None if state.verdict.reason is Reason.COMPLETED else state.failure,
        best=best(metrics.get(run.id)) if run else None,
    )


def _deployment(promotion: Promotion) -> StatusRow:
    server = promotion.server
    verdict = promotion_health(promotion)
    synced = promotion.step is Step.NOTHING and server is not None
    return StatusRow(
        address=promotion.wanted.address,
        sync=Sync.SYNCED if synced else Sync.OUT_OF_SYNC,
        health=verdict.health,
        reason=verdict.reason,
        message=verdict.message,
        since=server.modified_at if server else None,
        deployment=server.id if server else None,
        url=server.url if server else None,
    )


def _row(address: str, sync: Sync, verdict: Verdict, since: datetime | None = None) -> StatusRow:
    return StatusRow(address, sync, verdict.health, verdict.reason, verdict.message, since)
