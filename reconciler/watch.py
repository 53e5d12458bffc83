"""Following executions while they run: step, time left, loss and mAP from what the training tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from reconciler.aicore import AICore
from reconciler.clock import POLL_SECONDS, Clock
from reconciler.errors import TransientError
from reconciler.failure import classify
from reconciler.live import FAILED_STATES, Execution, Metrics
from reconciler.status import BEST_METRIC, latest

N = TypeVar("N", int, float)

#: Name of the custom info in which a training reports how far it is.
PROGRESS = "corespec/progress"
#: AI Core may be away this long (restarting) before following it is given up.
PATIENCE = timedelta(minutes=5)
ENDED = frozenset({"COMPLETED", "DEAD", "STOPPED"})


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at one execution. None: not tracked (yet)."""

    execution: str
    configuration: str
    status: str
    message: str = ""
    stage: str = ""
    step: int | None = None
    total_steps: int | None = None
    fraction: float | None = None  #: 0..1
    eta_seconds: float | None = None
    elapsed_seconds: float = 0.0
    loss: float | None = None
    mean_ap: float | None = None  #: latest mAP/allClasses, 0..1
    failure: str = ""  #: of one that is DEAD, as far as its status tells: infrastructure, user or unknown

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def progress(run: Execution, metrics: Metrics | None, now: datetime) -> Progress:
    """What AI Core knows about a run; a malformed progress report counts as none. Pure."""
    end = run.completed_at or (run.modified_at if run.status in ENDED else now)
    values = metrics.metrics if metrics else ()
    report = _report(metrics)
    loss, mean_ap = latest(values, "loss"), latest(values, BEST_METRIC)
    return Progress(
        execution=run.id,
        configuration=run.configuration_name,
        status=run.status,
        message=run.message,
        stage=str(report.get("stage") or ""),
        step=_number(report.get("step"), int),
        total_steps=_number(report.get("total_steps"), int),
        fraction=_number(report.get("fraction"), float),
        eta_seconds=_number(report.get("eta_seconds"), float),
        elapsed_seconds=max(0.0, (end - (run.started_at or run.created_at)).total_seconds()),
        loss=loss.value if loss else None,
        mean_ap=mean_ap.value if mean_ap else None,
        failure=classify(run.message, run.details).kind.value if run.status in FAILED_STATES else "",
    )


def watch(
    aicore: AICore, executions: Sequence[str], clock: Clock, poll_seconds: float = POLL_SECONDS
) -> Iterator[Progress]:
    """Look at the executions again and again until all have ended; one Progress for each at every look.

    Raises NotFoundError for an unknown id, and TransientError when AI Core stays away longer than PATIENCE.
    """
    open_ones = list(dict.fromkeys(executions))
    last_seen = clock.now()
    while open_ones:
        try:
            looks = _look(aicore, open_ones, clock)
        except TransientError:
            if clock.now() - last_seen > PATIENCE:
                raise
        else:
            last_seen = clock.now()
            yield from looks
            open_ones = [look.execution for look in looks if not look.ended]
        if open_ones:
            clock.sleep(poll_seconds)


def _look(aicore: AICore, executions: Sequence[str], clock: Clock) -> list[Progress]:
    runs = [aicore.execution(id_) for id_ in executions]
    tracked = aicore.metrics(executions)
    return [progress(run, tracked.get(run.id), clock.now()) for run in runs]


def _report(metrics: Metrics | None) -> dict[str, Any]:
    try:
        report = json.loads(metrics.custom_info[PROGRESS]) if metrics else {}
    except (KeyError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _number(value: Any, kind: type[N]) -> N | None:
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
