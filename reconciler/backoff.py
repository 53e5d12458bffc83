"""One object that cannot be made does not keep the others from being made.

An apply stops at the first change that fails; what was done stays. The daemon's next round leaves that
object out, with what needs it, until its own pause is over: the others go on, it is tried again later.
Kept in memory: a restart, like a new commit, tries everything at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from reconciler.desired import DesiredConfiguration, DesiredExecution
from reconciler.loop import Pace
from reconciler.plan_model import Action, Change, Plan

#: What can be left out alone. Everything needs the repository, the application and the synced templates.
_KINDS = frozenset({"dataset", "configuration", "execution", "deployment"})


@dataclass(slots=True)
class _Pause:
    failures: int
    until: float  #: monotonic seconds


class Backoffs:
    """Which objects are left out, and until when. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def failed(self, address: str, pace: Pace, now: float, *, terminal: bool) -> bool:
        """The object's change failed; False if it cannot be left out alone.

        Longer than the next round is away, and twice as long each time, up to the interval; what would fail
        again in the same way waits for the interval, or for a commit.
        """
        if address.partition("/")[0] not in _KINDS:
            return False
        failures = 1 + (self._pauses[address].failures if address in self._pauses else 0)
        pause = pace.interval if terminal else pace.backoff(failures + 1)
        self._pauses[address] = _Pause(failures, now + pause)
        return True

    def succeeded(self, address: str) -> None:
        self._pauses.pop(address, None)

    def forget(self) -> None:
        """There is a new commit: everything may be tried."""
        self._pauses.clear()

    def held(self, now: float) -> frozenset[str]:
        """Addresses whose pause is not over."""
        return frozenset(address for address, pause in self._pauses.items() if pause.until > now)

    def due(self, now: float) -> float | None:
        """Seconds until the next pause is over; None when there is none."""
        return min((pause.until - now for pause in self._pauses.values() if pause.until > now), default=None)


def leave_out(plan: Plan, held: Collection[str]) -> Plan:
    """The plan without the objects in `held` and without what needs them. Runs are stopped all the same."""
    gone = set(held)
    stages = []
    for stage in plan.stages:  # in the order of their work: what is needed comes before what needs it
        kept = []
        for change in stage.changes:
            if change.action is not Action.STOP and (change.address in gone or gone & set(_needs(change))):
                gone.add(change.address)
            else:
                kept.append(change)
        if kept:
            stages.append(replace(stage, changes=tuple(kept)))
    return replace(plan, stages=tuple(stages))


def _needs(change: Change) -> Iterator[str]:
    match change.subject:
        case DesiredExecution(configuration=configuration):
            yield configuration.address
        case DesiredConfiguration(inputs=inputs):
            for source in inputs.values():
                if address := getattr(source, "address", ""):
                    yield address
