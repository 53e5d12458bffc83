"""Differences that no spec explains: what somebody did by hand in AI Core, the store or `rendered/`. Pure.

What a spec asks for and is not there yet is no drift, but a plan. There is no state file: what has left no
trace cannot be found (docs/reconcile.md lists it).
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.bindings import bind
from reconciler.desired import Desired, DesiredConfiguration
from reconciler.drift_model import DriftKind, Finding, Seen
from reconciler.drift_places import place_findings
from reconciler.drift_runs import run_findings, server_findings
from reconciler.explain import differences
from reconciler.find import holds
from reconciler.live import Configuration, Live
from reconciler.promotion import promotions

__all__ = ["drift"]


def drift(desired: Desired, live: Live, seen: Seen) -> tuple[Finding, ...]:
    """Every finding, sorted. `desired`: what the specs of the branch's head ask for."""
    bound = bind(desired.ordered(), live)
    serving = (p.configuration for p in promotions(bound, live))
    wanted = [*bound.configurations, *(c for c in serving if c is not None)]
    found = {
        *run_findings(bound, live, seen.intents),
        *server_findings(bound, live),
        *(finding for one in wanted for finding in _foreign(one, bound, live)),
        *place_findings(bound, live, seen),
    }
    return tuple(sorted(found))


def _foreign(wanted: DesiredConfiguration, desired: Desired, live: Live) -> Iterator[Finding]:
    """Configurations of our name, which vouches for a content, that hold another one."""
    templates = {template.executable: template.document for template in desired.templates}
    for other in live.configurations_by_name.get(wanted.full_name, ()):
        if holds(other, wanted, live):
            continue
        fields = differences(other, wanted, templates.get(wanted.executable, {}), live)
        places = [*_places(other, wanted), *((f.path, f.before, f.after) for f in fields)]
        for path, found, should in places or [("content", "something else", wanted.full_name)]:
            yield Finding(
                wanted.address,
                path,
                DriftKind.CONFIGURATION_FOREIGN,
                f"{other.name} ({other.id}) has {_or_none(found)}",
                _or_none(should),
                "It was not made from these specs, and AI Core can delete no configuration: rename the "
                "configuration in the spec.",
            )


def _places(other: Configuration, wanted: DesiredConfiguration) -> Iterator[tuple[str, str, str]]:
    if other.scenario != wanted.scenario:
        yield "scenario", other.scenario, wanted.scenario
    if other.executable != wanted.executable:
        yield "executable", other.executable, wanted.executable


def _or_none(value: str | None) -> str:
    return "(none)" if value is None else value
