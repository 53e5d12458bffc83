"""Markdown for a pull request: bounded in size, details folded, truncation visible."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.plan_model import Change, Plan, Problem
from reconciler.report.text import SIGNS, field_text, summary
from reconciler.status import BEST_METRIC, Status

__all__ = ["plan_markdown", "status_markdown"]

#: What a comment of the usual Git hosts can hold, with room to spare, bytes.
LIMIT = 60_000


def plan_markdown(plan: Plan, limit: int = LIMIT) -> str:
    """The plan as a comment; the summary comes first here, because folded parts hide the end."""
    head = [f"### {escape(summary(plan))}", ""]
    head += [line for kind, problems in _problems(plan) for line in _list(kind, problems)]
    return _bounded(head, [*_stages(plan), *_retired(plan)], limit)


def _problems(plan: Plan) -> tuple[tuple[str, tuple[Problem, ...]], ...]:
    return (("Error", plan.errors), ("Stalled", plan.unhealthy), ("Warning", plan.warnings))


def _list(kind: str, problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems:
        yield f"- **{kind}** `{problem.address}`: {escape(problem.message)} {escape(problem.remedy)}".rstrip()
    if problems:
        yield ""


def _stages(plan: Plan) -> Iterator[str]:
    for stage in plan.stages:
        yield f"<details open><summary><b>{stage.name.value}</b> ({len(stage.changes)})</summary>"
        yield ""
        for change in stage.changes:
            yield from _change(change)
        yield "</details>"
        yield ""


def _change(change: Change) -> Iterator[str]:
    yield f"- `{SIGNS[change.action]} {change.action.value}` `{change.address}` {escape(change.reason)}"
    for field in change.fields:
        yield f"  - `{field_text(field).replace('`', chr(39))}`"


def _retired(plan: Plan) -> Iterator[str]:
    if plan.retired:
        yield f"<details><summary>retired ({len(plan.retired)}): AI Core cannot delete them</summary>"
        yield ""
        yield from (f"- `{change.address}` {escape(change.name)}" for change in plan.retired)
        yield "</details>"
        yield ""


def status_markdown(status: Status) -> str:
    """The state as a table."""
    lines = [f"| address | sync | health | reason | {BEST_METRIC} |", "|---|---|---|---|---|"]
    for row in status.rows:
        best = f"{row.best:.3f}" if row.best is not None else ""
        reason = " ".join(part for part in (row.reason.value, row.message, row.alert) if part)
        lines.append(
            f"| `{row.address}` | {row.sync.value} | {row.health.value} | {escape(reason)} | {best} |"
        )
    return "\n".join(lines) + "\n"


def _bounded(head: list[str], body: list[str], limit: int) -> str:
    text = "\n".join([*head, *body]).rstrip() + "\n"
    if len(text.encode()) <= limit:
        return text
    notice = "**Truncated: the plan is longer than a comment can be. Run `corespec plan` to see all of it.**"
    kept = [*head, notice, "", "```text"]
    size = len("\n".join(kept).encode()) + len("\n```\n")
    for line in body:
        size += len(line.encode()) + 1
        if size > limit:
            break
        kept.append(line)
    return "\n".join([*kept, "```"]) + "\n"


def escape(text: str) -> str:
    """Keep user text from becoming markup or breaking a table."""
    for sign in ("\\", "|", "<", "*", "_", "`"):
        text = text.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return text.replace("\n", " ")
