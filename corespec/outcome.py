"""How an apply is reported once it is over."""

from __future__ import annotations

from typing import Any

from corespec import output
from corespec.options import Format
from reconciler.planfile import NOT_SHOWN
from reconciler.report.text import summary
from reconciler.session import Result


def report(result: Result, form: Format) -> int:
    """Print what was done and how things stand; returns the exit code."""
    if form is Format.JSON:
        output.emit(_document(result))
        return result.exit_code
    if not result.plan.empty:
        output.say(f"Applied {len(result.applied)} of {len(result.plan.changes)} changes.")
    output.say(summary(result.final))
    left_alone = (problem for problem in result.final.warnings if problem.code == NOT_SHOWN)
    for problem in (*left_alone, *result.final.unhealthy):
        output.say(f"  {problem.address}: {problem.message}")
    return result.exit_code


def _document(result: Result) -> dict[str, Any]:
    applied = [
        {"address": item.address, "action": item.action.value, "id": item.id} for item in result.applied
    ]
    return {
        "kind": "Apply",
        "exit_code": int(result.exit_code),
        "plan": result.plan.document(),
        "applied": applied,
        "ended": [look.document() for look in result.ended],
        "status": result.status.document(),
    }
