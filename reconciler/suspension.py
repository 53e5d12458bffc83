"""Things that the specs let rest for a while. Pure: the time is handed in."""

from __future__ import annotations

from datetime import datetime

from generator.spec.runs import Suspend
from reconciler.desired import Desired
from reconciler.plan_model import Problem

#: Reason of the message that a suspension has ended.
OVER = "SuspensionOver"


def suspended(suspend: Suspend | None, now: datetime) -> str:
    """Why it rests now, and until when; empty when it does not."""
    if suspend is None or over(suspend, now):
        return ""
    return f"{suspend.reason} until {suspend.until.isoformat()}" if suspend.until else suspend.reason


def over(suspend: Suspend | None, now: datetime) -> bool:
    """Whether its time has passed: it goes on, and the block only seems to hold it."""
    return suspend is not None and suspend.until is not None and suspend.until <= now


def overdue(desired: Desired, now: datetime) -> dict[str, Problem]:
    """A warning for each address whose suspension is over."""
    blocks = {
        e.address: (f"execution/{_scenario(e.address)}/{e.group}", e.suspend) for e in desired.executions
    }
    blocks |= {d.address: (d.address, d.suspend) for d in desired.deployments}
    return {
        address: Problem(
            address,
            "suspension-over",
            f"suspended until {suspend.until.isoformat()} ({suspend.reason}): that is over, and it goes on",
            f"Take the block out of the spec: corespec resume {block}; or suspend it for longer.",
        )
        for address, (block, suspend) in sorted(blocks.items())
        if suspend is not None and suspend.until is not None and over(suspend, now)
    }


def _scenario(address: str) -> str:
    return address.split("/")[1]
