"""How many runs a plan starts, and how long completed runs of the same executables took. Pure.

Where there is no history there is no figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reconciler.live import Execution

#: Completed runs of an executable that are looked at, latest first: older ones had other machines and images.
LATEST = 20
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Minutes:
    """The shortest and the longest of some runs, minutes from start to completion."""

    low: float
    high: float

    def document(self) -> dict[str, float]:
        return {"low": round(self.low, 1), "high": round(self.high, 1)}

    def __str__(self) -> str:
        """Whole minutes, outwards: the low end is never promised too late, the high end never too early."""
        low, high = math.floor(self.low), max(1, math.ceil(self.high))
        if low == 0:
            return "up to 1 minute" if high == 1 else f"up to {high} minutes"
        if low == high:
            return "about 1 minute" if high == 1 else f"about {high} minutes"
        return f"about {low} to {high} minutes"


@dataclass(frozen=True, slots=True)
class ExpectedRuns:
    """Runs to be started of one executable; `minutes` of each, None where no run of it has completed."""

    scenario: str
    executable: str
    launches: int
    runs: int = 0  #: completed runs from which `minutes` was taken
    minutes: Minutes | None = None

    def document(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "executable": self.executable,
            "launches": self.launches,
            "runs": self.runs,
            "minutes": self.minutes.document() if self.minutes else None,
        }

    def __str__(self) -> str:
        if self.minutes is None:
            return "no earlier run"
        return f"{self.minutes} each, from {self.runs} earlier {'run' if self.runs == 1 else 'runs'}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a plan starts, by executable."""

    executables: tuple[ExpectedRuns, ...] = ()

    @property
    def launches(self) -> int:
        return sum(item.launches for item in self.executables)

    @property
    def minutes(self) -> Minutes | None:
        """Of each run; None unless every executable has a history."""
        found = [item.minutes for item in self.executables if item.minutes]
        if not found or len(found) < len(self.executables):
            return None
        return Minutes(min(m.low for m in found), max(m.high for m in found))

    def document(self) -> dict[str, Any]:
        return {
            "launches": self.launches,
            "minutes": self.minutes.document() if self.minutes else None,
            "executables": [item.document() for item in self.executables],
        }

    def __str__(self) -> str:
        """`about 12 to 15 minutes each, from 4 earlier runs`; by executable where there are several.

        Empty where nothing that is started has a history.
        """
        if not any(item.minutes for item in self.executables):
            return ""
        if len(self.executables) == 1:
            return str(self.executables[0])
        return "; ".join(f"{item.executable}: {item}" for item in self.executables)


def expectation(started: Iterable[tuple[str, str]], executions: Iterable[Execution]) -> Expectation:
    """From the (scenario, executable) of every run to be started, and all live executions."""
    launches = Counter(started)
    if not launches:
        return Expectation()
    past: dict[tuple[str, str], list[Execution]] = {key: [] for key in launches}
    for run in executions:
        if run.status == "COMPLETED" and (run.scenario, run.executable) in past and _minutes(run) is not None:
            past[run.scenario, run.executable].append(run)
    return Expectation(tuple(_expected(key, launches[key], past[key]) for key in sorted(launches)))


def _expected(key: tuple[str, str], launches: int, past: list[Execution]) -> ExpectedRuns:
    latest = sorted(past, key=lambda run: (run.created_at, run.id))[-LATEST:]
    found = [minutes for run in latest if (minutes := _minutes(run)) is not None]
    took = Minutes(min(found), max(found)) if found else None
    return ExpectedRuns(*key, launches, len(found), took)


def _minutes(run: Execution) -> float | None:
    """None where AI Core gives no times, or impossible ones."""
    if run.started_at is None or run.completed_at is None or run.completed_at < run.started_at:
        return None
    return (run.completed_at - run.started_at) / _MINUTE
