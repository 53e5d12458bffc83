"""Who watches over an apply while it goes on: nobody, or the daemon."""

from __future__ import annotations

from typing import Protocol

from reconciler.plan_model import Plan


class Steward(Protocol):
    """May end an apply between two writes, and may leave out of it what has failed lately."""

    def check(self) -> None:
        """Called before every write; what it raises ends the apply. What was done stays."""
        ...

    def shorten(self, plan: Plan) -> Plan:
        """The part of a plan that is carried out now; called with the lock held, after Git was read."""
        ...


class Nobody:
    """All of it, to the end."""

    def check(self) -> None:
        return

    def shorten(self, plan: Plan) -> Plan:
        return plan
