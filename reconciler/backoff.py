"""One object that cannot be made does not keep the others from being made.

An apply goes on without the object whose change has failed, and without what needs it, and fails at its end.
The daemon's next rounds leave it out until its own pause is over, while the others go on.
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
#: So many failures that may pass, in one apply, are the service's: it is not asked on and on.
OF_THE_SERVICE = 2


@dataclass(slots=True)
class _Pause:
    failures: int
    until: float  #: monotonic seconds


class Backoffs:
    """Which objects are left out, and until when. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def failed(self, address: str, pace: Pace, now: float, *, terminal: bool, others: bool = False) -> bool:
        """The object's change failed; False if it cannot be left out alone.

        The pause is twice as long each time, up to the interval; what would fail again in the same way waits
        for the interval, or for a commit. With `others`, which that round did not come to, it is longer than
        the next round is away.
        """
        if not separable(address):
            return False
        failures = 1 + (self._pauses[address].failures if address in self._pauses else 0)
        pause = pace.interval if terminal else pace.backoff(failures + others)
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
            if change.action is not Action.STOP and (change.address in gone or gone & set(needs(change))):
                gone.add(change.address)
            else:
                kept.append(change)
        if kept:
            stages.append(replace(stage, changes=tuple(kept)))
    return replace(plan, stages=tuple(stages))


def separable(address: str) -> bool:
    """Whether the others can go on without this object."""
    return address.partition("/")[0] in _KINDS


def needs(change: Change) -> Iterator[str]:
    """Addresses without which a change cannot be made."""
    match change.subject:
        case DesiredExecution(configuration=configuration):
            yield configuration.address
        case DesiredConfiguration(inputs=inputs):
            for source in inputs.values():
                if address := getattr(source, "address", ""):
                    yield address
