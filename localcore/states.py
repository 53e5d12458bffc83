"""Which change an execution's state allows (aicore.md section 3); pure."""

from __future__ import annotations

from localcore.errors import ApiError, forbidden_by_state

STOPPABLE = frozenset({"PENDING", "RUNNING"})
DELETABLE = frozenset({"UNKNOWN", "COMPLETED", "STOPPED", "DEAD"})


def refusal(status: str, target: str) -> ApiError | None:
    """Why an execution in `status` cannot go to `target` (STOPPED or DELETED); None when it can."""
    allowed = STOPPABLE if target == "STOPPED" else DELETABLE
    if status in allowed:
        return None
    verb = "stopped" if target == "STOPPED" else "deleted"
    hint = ". Stop it first." if target == "DELETED" and status in STOPPABLE else "."
    return forbidden_by_state(
        f"Current status {status} cannot be changed: the execution cannot be {verb}{hint}"
    )
