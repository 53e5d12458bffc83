"""Which change the state of an execution or deployment allows (aicore.md section 3); pure."""

from __future__ import annotations

from localcore.errors import ApiError, forbidden_by_state

STOPPABLE = frozenset({"PENDING", "RUNNING"})
DELETABLE = frozenset({"UNKNOWN", "COMPLETED", "STOPPED", "DEAD"})
# Deployments alone: another configuration can also bring a dead one back.
UPDATABLE = frozenset({"PENDING", "RUNNING", "DEAD"})
_ALLOWED = {"STOPPED": STOPPABLE, "DELETED": DELETABLE, "UPDATED": UPDATABLE}


def refusal(status: str, target: str, noun: str = "execution") -> ApiError | None:
    """Why an object in `status` cannot go to `target` (STOPPED, DELETED or UPDATED); None when it can."""
    if status in _ALLOWED[target]:
        return None
    hint = ". Stop it first." if target == "DELETED" and status in STOPPABLE else "."
    return forbidden_by_state(
        f"Current status {status} cannot be changed: the {noun} cannot be {target.lower()}{hint}"
    )
