"""What each list page shows: counting, filtering, ordering and paging. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.port import AddressRow, ArtifactLink, Execution, ExecutionDetail, LogLine, Progress
from console.text import tone

PAGE_SIZE = 50
LOG_LINES = 400  # shown on the page; the download has them all
LIVE_STATES = frozenset({"UNKNOWN", "PENDING", "RUNNING", "STOPPING"})
_TONE_ORDER = ("bad", "warn", "busy", "good", "plain")


@dataclass(frozen=True, slots=True)
class Count:
    """How many addresses are in one state."""

    state: str
    count: int


def health_counts(rows: Sequence[AddressRow]) -> tuple[Count, ...]:
    """Addresses by health, the states that need somebody first."""
    found = Counter(row.health for row in rows)
    ordered = sorted(found, key=lambda state: (_TONE_ORDER.index(tone(state)), state))
    return tuple(Count(state, found[state]) for state in ordered)


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    """One page of the executions that match the filter, newest first."""

    rows: tuple[Execution, ...]
    statuses: tuple[str, ...]
    page: int
    pages: int
    total: int


def execution_page(executions: Sequence[Execution], *, status: str, query: str, page: int) -> ExecutionPage:
    """Filter by status and by text in id, configuration, scenario or executable; `page` counts from 1."""
    wanted = [one for one in executions if (not status or one.status == status) and _mentions(one, query)]
    wanted.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    pages = max(1, -(-len(wanted) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    return ExecutionPage(
        rows=tuple(wanted[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]),
        statuses=tuple(sorted({one.status for one in executions})),
        page=page,
        pages=pages,
        total=len(wanted),
    )


def _mentions(execution: Execution, query: str) -> bool:
    texts = (execution.id, execution.configuration, execution.scenario, execution.executable)
    return any(query.casefold() in text.casefold() for text in texts)


def is_live(execution: Execution) -> bool:
    """Whether the execution can still change by itself."""
    return execution.status in LIVE_STATES


def run_time(execution: Execution, now: datetime) -> timedelta | None:
    """How long it has run: to its end, or until now while it runs; nothing where the end is not known."""
    begin = execution.started_at or execution.created_at
    end = execution.completed_at or (now if is_live(execution) else None)
    return None if end is None else max(end - begin, timedelta())


def remaining(progress: Progress | None) -> timedelta | None:
    """The time a training says it still needs."""
    if progress is None or progress.eta_seconds is None:
        return None
    return timedelta(seconds=max(0.0, progress.eta_seconds))


@dataclass(frozen=True, slots=True)
class Card:
    """One station of the process flow; `lines` are (label, value)."""

    role: str
    title: str
    lines: tuple[tuple[str, str], ...]


def process_flow(detail: ExecutionDetail) -> tuple[Card, ...]:
    """What went in, what ran, what came out, in the order of the arrows."""
    run = detail.execution
    ran = (("Configuration", run.configuration), ("Scenario", run.scenario))
    inputs = (_artifact("Input", link) for link in detail.inputs)
    outputs = (_artifact("Output", link) for link in detail.outputs)
    return (*inputs, Card("Executable", run.executable or "unknown", ran), *outputs)


def _artifact(role: str, link: ArtifactLink) -> Card:
    return Card(role, link.name or link.port, (("Port", link.port), ("Kind", link.kind), ("URL", link.url)))


def log_tail(lines: Sequence[LogLine]) -> tuple[tuple[LogLine, ...], int]:
    """The newest lines, newest last, and how many earlier ones are left out."""
    return tuple(lines[-LOG_LINES:]), max(0, len(lines) - LOG_LINES)


def log_text(lines: Sequence[LogLine]) -> str:
    """The whole log as plain text, one line each, time first where it is known."""
    return "".join(f"{_stamp(line.timestamp)}{line.message}\n" for line in lines)


def _stamp(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.isoformat(timespec='milliseconds')} "
