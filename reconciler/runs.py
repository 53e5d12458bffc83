"""Which executions to start and to stop now. Pure.

Limits: `maxParallel` of an execution, `maxConcurrent` of the environment (runs of ours under way), and
`maxLaunchesPerApply`, which forbids the whole plan, because starting runs is what costs money here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from generator.spec.operations import Policy
from reconciler.desired import Desired, DesiredExecution
from reconciler.health import Health, RunState, runs
from reconciler.live import Configuration, Execution, Live
from reconciler.plan_model import Action, Category, Change, Problem, counted


@dataclass(frozen=True, slots=True)
class Runs:
    stops: tuple[Change, ...]
    launches: tuple[Change, ...]
    errors: tuple[Problem, ...]
    unhealthy: tuple[Problem, ...]


def executions_of(configurations: tuple[Configuration, ...], live: Live) -> tuple[Execution, ...]:
    """All live executions of these configurations, oldest first."""
    found = [run for c in configurations for run in live.executions_by_configuration.get(c.id, ())]
    return tuple(sorted(found, key=lambda run: (run.created_at, run.id)))


def run_state(wanted: DesiredExecution, configurations: tuple[Configuration, ...], live: Live) -> RunState:
    """How a wanted execution stands."""
    return runs(wanted.budget, executions_of(configurations, live), live.observed_at)


def plan_runs(
    desired: Desired, live: Live, configurations: Mapping[str, tuple[Configuration, ...]], policy: Policy
) -> Runs:
    """Launches in address order until a limit is reached; the rest waits for the next apply."""
    states = {
        wanted.address: run_state(wanted, configurations[wanted.configuration.address], live)
        for wanted in desired.executions
    }
    launches = _launches(desired, live, configurations, states, policy)
    asked = sum(state.launches for state in states.values())
    errors = []
    if asked > policy.max_launches_per_apply:
        errors.append(
            Problem(
                "policy/maxLaunchesPerApply",
                "policy",
                f"the specs ask for {counted(asked, 'new run')}; "
                f"one apply may start {policy.max_launches_per_apply}",
                f"Look at the launches above; to allow them once, apply with --max-launches {asked}.",
            )
        )
    stops = tuple(
        _stop(wanted, run) for wanted in desired.executions for run in states[wanted.address].overdue
    )
    unhealthy = tuple(
        Problem(wanted.address, state.verdict.reason.value, state.verdict.message, _STALLED_REMEDY)
        for wanted in desired.executions
        if (state := states[wanted.address]).verdict.health is Health.DEGRADED
    )
    return Runs(stops, launches, tuple(errors), unhealthy)


_STALLED_REMEDY = (
    "Read its log (corespec logs), then change the spec or set rerunAfter; nothing starts before that."
)


def _launches(
    desired: Desired,
    live: Live,
    configurations: Mapping[str, tuple[Configuration, ...]],
    states: Mapping[str, RunState],
    policy: Policy,
) -> tuple[Change, ...]:
    active_in_group: Counter[str] = Counter()
    active: set[str] = set()
    for wanted in desired.executions:
        under_way = [r for r in executions_of(configurations[wanted.configuration.address], live) if r.active]
        active_in_group[_group(wanted)] += len(under_way)
        active.update(run.id for run in under_way)
    free = policy.max_concurrent - len(active)
    changes: list[Change] = []
    for wanted in desired.executions:
        for number in range(states[wanted.address].launches):
            full = wanted.max_parallel is not None and active_in_group[_group(wanted)] >= wanted.max_parallel
            if full or free <= 0:
                limit = "maxParallel" if full else "maxConcurrent"
                changes.append(_launch(wanted, states[wanted.address], number, waits_for=limit))
                continue
            free -= 1
            active_in_group[_group(wanted)] += 1
            changes.append(_launch(wanted, states[wanted.address], number))
    return tuple(changes)


def _group(wanted: DesiredExecution) -> str:
    return f"{wanted.configuration.scenario}/{wanted.group}"


def _launch(wanted: DesiredExecution, state: RunState, number: int, waits_for: str | None = None) -> Change:
    reason = state.verdict.message or "no run of this configuration has completed"
    if waits_for:
        reason = f"{reason}; held back by {waits_for}"
    action = Action.WAIT if waits_for else Action.LAUNCH
    address = wanted.address if wanted.budget.want == 1 else f"{wanted.address}#{number + 1}"
    return Change(address, action, Category.RUN, reason, wanted.configuration.full_name, subject=wanted)


def _stop(wanted: DesiredExecution, run: Execution) -> Change:
    reason = f"{run.id} has run longer than its timeout of {wanted.budget.timeout}"
    return Change(wanted.address, Action.STOP, Category.RUN, reason, run.id, subject=run)
