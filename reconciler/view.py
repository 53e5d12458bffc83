"""One look at an environment: what is wanted, what is, and the plan that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.adminvalues import held_values
from reconciler.connection import credentials
from reconciler.counts import with_counts
from reconciler.marks import Marker
from reconciler.observe import observe
from reconciler.plan import plan, unpublished
from reconciler.plan_model import Plan, Problem, StageName
from reconciler.planfile import Origin, origin
from reconciler.postmortem import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reconciler.aicore import AICore
    from reconciler.clock import Clock
    from reconciler.gitops import Checkout
    from reconciler.live import Live
    from reconciler.prune import Permission, Pruning
    from reconciler.workbench import Bench


@dataclass(frozen=True, slots=True)
class View:
    """One look: what is wanted, what is, and what follows."""

    bench: Bench
    live: Live
    plan: Plan
    origin: Origin


def look(
    root: Path,
    bench: Bench,
    git: Checkout,
    aicore: AICore,
    clock: Clock,
    catalog: Sequence[Path],
    max_launches: int | None,
    prune: Permission | None,
    *,
    merged_only: bool = False,
    gone: int = 0,
    fetch: Callable[[], None] | None = None,
) -> View:
    """Read AI Core, plan, and check the datasets that would be uploaded.

    `merged_only`: leave alone what depends on a template that the branch does not hold yet. `gone`: what this
    apply has pruned already. `fetch`: brings in what the branch holds now, beside the requests. Raises what
    `observe` and the checks raise.
    """
    live = observe(aicore, bench.desired, bench.stores, git, clock, remembered(root), fetch)
    live = _with_values(root, bench, live)
    policy = bench.environment.policy
    if max_launches is not None:
        policy = policy.model_copy(update={"max_launches_per_apply": max_launches})
    held = unpublished(bench.desired, live) if merged_only else frozenset()
    pruning = _look_back(bench, live, git, catalog, prune, gone) if prune else None
    made = plan(bench.desired, live, policy, held, pruning)
    new = unregistered(made)
    made = with_warnings(made, bench.check_datasets(new))
    base_url = credentials(bench.environment, root).base_url
    made_from = origin(bench.environment, base_url, git, live.observed_at, max_launches, prune)
    return View(bench, live, with_counts(made, bench.counts(new), bench.stores), made_from)


def _with_values(root: Path, bench: Bench, live: Live) -> Live:
    """With what the marks say about write-only values; secrets are read where an environment has any."""
    want = bench.desired.onboarding
    if not want.valued:
        return live
    marker = Marker(credentials(bench.environment, root))
    return replace(live, held=held_values(bench.environment, root, want, live, marker))


def _look_back(
    bench: Bench, live: Live, git: Checkout, catalog: Sequence[Path], prune: Permission, gone: int
) -> Pruning:
    from reconciler.pruning import look_back  # reads specs of the past: few looks ask for that

    return look_back(bench, live, git, catalog, prune, gone)


def unregistered(made: Plan) -> frozenset[str]:
    """`<scenario>/<dataset>` of the datasets that have no artifact yet."""
    return frozenset(change.address.removeprefix("dataset/") for change in made.of(StageName.REGISTER))


def with_warnings(made: Plan, warnings: tuple[Problem, ...]) -> Plan:
    return replace(made, warnings=tuple(sorted((*made.warnings, *warnings)))) if warnings else made
