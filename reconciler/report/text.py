"""Plain text, one line per change, the summary last. Colour is left to whoever prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from reconciler.plan_model import Action, Change, FieldChange, Plan, Problem, counted
from reconciler.status import BEST_METRIC, Status, StatusRow
from reconciler.watch import Progress

__all__ = ["plan_text", "status_text"]

SIGNS = {
    Action.CREATE: "+",
    Action.UPLOAD: "+",
    Action.PUBLISH: "~",
    Action.SYNC: "~",
    Action.LAUNCH: ">",
    Action.WAIT: ".",
    Action.DEPLOY: ">",
    Action.UPDATE: "~",
    Action.STOP: "!",
    Action.PRUNE: "-",
    Action.RETIRE: "?",
}
#: Retired objects shown in full; AI Core can delete none, so there are ever more of them.
RETIRED_SHOWN = 5


def plan_text(plan: Plan) -> str:
    """The plan for a terminal."""
    return "\n".join(_plan_lines(plan)) + "\n"


def _plan_lines(plan: Plan) -> Iterator[str]:
    for stage in plan.stages:
        yield f"{stage.name.value}:"
        for change in stage.changes:
            yield from change_lines(change)
    if plan.retired:
        yield "retired:"
        for change in plan.retired[:RETIRED_SHOWN]:
            yield f"  ? retire {change.address}  {change.name}"
        if len(plan.retired) > RETIRED_SHOWN:
            yield f"  ? … and {len(plan.retired) - RETIRED_SHOWN} more"
        yield "      AI Core cannot delete them; they cost nothing and change nothing"
    for problem in plan.unhealthy:
        yield from _problem_lines("stalled", problem)
    for problem in plan.warnings:
        yield from _problem_lines("warning", problem)
    for problem in plan.errors:
        yield from _problem_lines("error", problem)
    yield summary(plan)


def change_lines(change: Change) -> Iterator[str]:
    """`  + create address  name`, then why, then field by field."""
    name = f"  {change.name}" if change.name and not change.address.endswith(f"/{change.name}") else ""
    yield f"  {SIGNS[change.action]} {change.action.value} {change.address}{name}"
    retrain = " (retrain)" if change.category == "retrain" and change.action is Action.CREATE else ""
    yield f"      why: {change.reason}{retrain}"
    for field in change.fields:
        yield f"      {field_text(field)}"


def field_text(field: FieldChange) -> str:
    """`path: before -> after`; a side that does not exist is `(none)`."""
    before = "(none)" if field.before is None else field.before
    after = "(none)" if field.after is None else field.after
    return f"{field.path}: {before} -> {after}"


def _problem_lines(kind: str, problem: Problem) -> Iterator[str]:
    yield f"{kind}: {problem.address}: {problem.message}"
    if problem.remedy:
        yield f"      {problem.remedy}"


def summary(plan: Plan) -> str:
    """The last line: what would happen, in numbers."""
    counts = {action: n for action, n in plan.summary.items() if n and action != Action.RETIRE}
    retired = f" {plan.summary[Action.RETIRE]} retired." if plan.retired else ""
    if plan.errors:
        return f"Plan for {plan.environment}: forbidden, see {counted(len(plan.errors), 'error')} above."
    if not counts:
        return f"Plan for {plan.environment}: nothing to do.{retired}"
    expected = {Action.LAUNCH.value: f" ({plan.expected})"} if str(plan.expected) else {}
    todo = ", ".join(f"{n} to {action}{expected.get(action, '')}" for action, n in counts.items())
    return f"Plan for {plan.environment}: {todo}.{retired}"


def status_text(status: Status) -> str:
    """A table: address, sync, health, reason, age, revision, last run, best metric; below it messages."""
    header = ("ADDRESS", "SYNC", "HEALTH", "REASON", "AGE", "REVISION", "LAST RUN", BEST_METRIC)
    table = [header, *(_cells(row, status) for row in status.rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    lines = []
    for line, row in zip(table, (None, *status.rows), strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if row and row.message and (row.health != "Healthy" or row.deployment):
            lines.append(f"    {row.message}")
        if row and row.alert:
            lines.append(f"    alert: {row.alert}")
    lines.append(f"Environment {status.environment}: {status.health.value}, {_revision(status.revision)}.")
    return "\n".join(lines) + "\n"


def _revision(revision: str) -> str:
    return f"synced at {revision[:10]}" if revision not in {"", "Unknown"} else "never synced"


def _cells(row: StatusRow, status: Status) -> tuple[str, ...]:
    age = duration((status.observed_at - row.since).total_seconds()) if row.since else "-"
    best = f"{row.best:.3f}" if row.best is not None else "-"
    run, revision = row.execution or row.deployment or "-", row.revision[:10] or "-"
    return row.address, row.sync.value, row.health.value, row.reason.value, age, revision, run, best


def duration(seconds: float) -> str:
    """`42s`, `3m05s`, `2h10m`, `4d03h`."""
    left = int(max(0.0, timedelta(seconds=seconds).total_seconds()))
    for unit, smaller, size, part in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if left >= size:
            return f"{left // size}{unit}{left % size // part:02d}{smaller}"
    return f"{left}s"


def progress_text(progress: Progress) -> str:
    """One line for a running execution."""
    parts = [progress.configuration, progress.status.lower()]
    if progress.stage and not progress.ended:
        parts.append(progress.stage)
    if progress.step is not None and progress.total_steps:
        parts.append(f"step {progress.step}/{progress.total_steps}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    if progress.mean_ap is not None:
        parts.append(f"mAP {progress.mean_ap:.3f}")
    if progress.eta_seconds is not None and not progress.ended:
        parts.append(f"{duration(progress.eta_seconds)} left")
    elif progress.elapsed_seconds:
        parts.append(f"after {duration(progress.elapsed_seconds)}")
    return "  ".join(parts)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return "".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
