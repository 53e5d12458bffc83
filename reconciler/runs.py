"""Which executions to start and to stop now. Pure.

An execution waits for those it depends on, for the time its retry may begin, for a launch window, for hours
on GPU machines, and for `maxParallel` and `maxConcurrent` (runs of ours under way, those of earlier contents
too). `maxLaunchesPerApply` forbids the whole plan, because starting runs is what costs money here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from generator.spec.operations import Policy
from reconciler.bindings import completed_runs
from reconciler.desired import Desired, DesiredExecution
from reconciler.explain import own_name
from reconciler.find import find_configurations
from reconciler.health import Health, Reason, RunState, Verdict, runs
from reconciler.live import Configuration, Execution, Live
from reconciler.plan_model import Action, Category, Change, Problem, counted
from reconciler.policy import Span, hours_in_a_day, launch_gate
from reconciler.suspension import suspended

Found = Mapping[str, tuple[Configuration, ...]]
_HOUR = timedelta(hours=1)
#: Ids that are named of those which take a place.
_NAMED = 3


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


def run_states(desired: Desired, live: Live, found: Found | None = None) -> dict[str, RunState]:
    """How every wanted execution stands, by address; suspended and waiting ones say so.

    `found`: the live configurations by the address of the wanted one, where the caller knows them.
    """
    own = {
        wanted.address: own_state(wanted, _configurations(wanted, live, found), live)
        for wanted in desired.executions
    }
    completed = {
        wanted.address: _has_completed(wanted, own[wanted.address], live) for wanted in desired.executions
    }
    return {
        wanted.address: _awaiting(wanted, own[wanted.address], own, completed)
        for wanted in desired.executions
    }


def _configurations(wanted: DesiredExecution, live: Live, found: Found | None) -> tuple[Configuration, ...]:
    if found is not None:
        return found[wanted.configuration.address]
    return find_configurations(wanted.configuration, live)


def own_state(wanted: DesiredExecution, configurations: tuple[Configuration, ...], live: Live) -> RunState:
    """How one execution stands, whatever the others do."""
    state = runs(wanted.budget, executions_of(configurations, live), live.observed_at, live.failures)
    if wanted.configuration.observed:
        return _only_seen(state)
    why = suspended(wanted.suspend, live.observed_at)
    if not why or not state.launches:
        return state
    was = state.verdict  # what it was stays in sight
    kept = "" if was.reason is Reason.NOT_STARTED else f"; before: {was.reason.value} {was.message}".rstrip()
    verdict = Verdict(Health.SUSPENDED, Reason.SUSPENDED, f"{why}{kept}")
    return replace(state, verdict=verdict, launches=0, not_before=None)


def _only_seen(state: RunState) -> RunState:
    """Of runs that somebody else started: nothing is launched, nothing stopped."""
    seen = replace(state, launches=0, not_before=None, overdue=())
    if not state.launches:
        return seen
    why = f": {state.verdict.message}" if state.verdict.message else ""
    return replace(seen, verdict=Verdict(Health.SUSPENDED, Reason.OBSERVED, f"only observed{why}"))


def _has_completed(wanted: DesiredExecution, state: RunState, live: Live) -> bool:
    """As often as it is wanted; one that is switched off counts when it has completed at all."""
    if wanted.budget.want == 0:
        return bool(completed_runs(wanted, live))
    return state.verdict.reason is Reason.COMPLETED


def _awaiting(
    wanted: DesiredExecution, state: RunState, states: Mapping[str, RunState], completed: Mapping[str, bool]
) -> RunState:
    """The state of an execution, that others must come before."""
    needed = sorted({*wanted.depends_on, *wanted.configuration.waits_for})
    missing = [address for address in needed if not completed.get(address, False)]
    # An output that is missing although its execution has completed: the run wrote none of that name.
    missing = missing or list(wanted.configuration.waits_for)
    if not missing or not state.launches:
        return state
    stalled = [a for a in missing if a in states and states[a].verdict.health is Health.DEGRADED]
    if stalled:
        message = f"blocked: {', '.join(stalled)} failed"
    elif completed.get(missing[0], False):
        message = f"{missing[0]} has completed without the output that is wanted"
    else:
        message = f"waits for {', '.join(missing)}"
    health = Health.MISSING if stalled else Health.PROGRESSING
    return replace(state, verdict=Verdict(health, Reason.WAITING_FOR_DEPENDENCY, message))


def plan_runs(desired: Desired, live: Live, configurations: Found, policy: Policy) -> Runs:
    """Launches in address order until a limit is reached; the rest waits for the next apply."""
    states = run_states(desired, live, configurations)
    launcher = _Launcher(desired, live, configurations, states, policy)
    launches = tuple(change for wanted in desired.executions for change in launcher.changes(wanted))
    errors = []
    if launcher.asked > policy.max_launches_per_apply:
        errors.append(
            Problem(
                "policy/maxLaunchesPerApply",
                "policy",
                f"the specs ask for {counted(launcher.asked, 'new run')}; "
                f"one apply may start {policy.max_launches_per_apply}",
                "Look at the launches above; to allow them once, apply with --max-launches "
                f"{launcher.asked}.",
            )
        )
    stops = tuple(
        _stop(wanted, run)
        for wanted in desired.executions
        if not wanted.protect
        for run in states[wanted.address].overdue
    )
    unhealthy = tuple(
        Problem(wanted.address, state.verdict.reason.value, state.verdict.message, _STALLED_REMEDY)
        for wanted in desired.executions
        if (state := states[wanted.address]).verdict.health is Health.DEGRADED
        and not wanted.configuration.observed
    )
    return Runs(stops, launches, tuple(errors), unhealthy)


_STALLED_REMEDY = (
    "Read its log (corespec logs), then change the spec or set rerunAfter; nothing starts before that."
)


def left_over(desired: Desired, live: Live) -> tuple[Execution, ...]:
    """Runs under way of configurations of ours that the specs no longer ask for: they cost as much, and take
    places of `maxConcurrent`. `desired` is bound.
    """
    executables = {template.executable for template in desired.templates}
    wanted = {one.configuration.full_name for one in desired.executions}
    active = [run for run in live.executions if run.active]
    ids = {run.configuration for run in active}
    configurations = (c for c in live.configurations if c.id in ids and c.executable in executables)
    ours = {c.id for c in configurations if own_name(c) and c.name not in wanted}
    return tuple(run for run in active if run.configuration in ours)


@dataclass
class _Launcher:
    """Hands out launches until a limit is reached; `asked` counts those that no wait holds back."""

    desired: Desired
    live: Live
    configurations: Found
    states: Mapping[str, RunState]
    policy: Policy
    asked: int = 0
    active_in_group: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        active: set[str] = set()
        for wanted in self.desired.executions:
            under_way = [
                run
                for run in executions_of(self.configurations[wanted.configuration.address], self.live)
                if run.active
            ]
            self.active_in_group[_group(wanted)] += len(under_way)
            active.update(run.id for run in under_way)
        self.left_over = [run.id for run in left_over(self.desired, self.live) if run.id not in active]
        self.free = self.policy.max_concurrent - len(active) - len(self.left_over)
        self.gate = launch_gate(self.policy.windows, self.live.observed_at)
        self.gpu_hours = self._gpu_hours_used()

    def changes(self, wanted: DesiredExecution) -> list[Change]:
        """What to do for one wanted execution: a launch or a wait for each run that is missing."""
        state = self.states[wanted.address]
        result = []
        for number in range(state.launches):
            held = self._held(wanted, state)
            if held is None:
                self.asked += 1
                held = self._crowded(wanted)
            if held is None:
                self.free -= 1
                self.active_in_group[_group(wanted)] += 1
                self.gpu_hours += self._expected_hours(wanted)
            result.append(_launch(wanted, state, number, held))
        return result

    def _held(self, wanted: DesiredExecution, state: RunState) -> str | None:
        """What a person's leave to launch more would not change."""
        if state.verdict.reason is Reason.WAITING_FOR_DEPENDENCY:
            return state.verdict.message
        if state.not_before is not None:
            return f"backoff until {_time(state.not_before)}"
        if not self.gate.open:
            opens = f", opens {_time(self.gate.opens)}" if self.gate.opens else ""
            return f"{self.gate.why}{opens}"
        limit = self.policy.max_gpu_hours_per_day
        if wanted.on_gpu and limit is not None and self.gpu_hours >= limit:
            return f"maxGpuHoursPerDay: {self.gpu_hours:.1f} of {limit:g} hours are used or spoken for"
        return None

    def _crowded(self, wanted: DesiredExecution) -> str | None:
        if wanted.max_parallel is not None and self.active_in_group[_group(wanted)] >= wanted.max_parallel:
            return "maxParallel"
        if self.free > 0:
            return None
        left = ", ".join(self.left_over[:_NAMED]) + (", …" if len(self.left_over) > _NAMED else "")
        return f"maxConcurrent; {left} of earlier contents still run" if left else "maxConcurrent"

    def _gpu_hours_used(self) -> float:
        """Of all runs of executables that are wanted on GPU machines, whoever launched them."""
        on_gpu = {w.configuration.executable for w in self.desired.executions if w.on_gpu}
        limits = {
            configuration.id: wanted.budget.timeout
            for wanted in self.desired.executions
            for configuration in self.configurations[wanted.configuration.address]
        }
        spans = [
            Span(run.started_at, _end(run), limits.get(run.configuration))
            for run in self.live.executions
            if run.executable in on_gpu and run.started_at is not None
        ]
        return hours_in_a_day(spans, self.live.observed_at)

    def _expected_hours(self, wanted: DesiredExecution) -> float:
        """The longest completed run of the executable, else the timeout, else nothing is known."""
        if not wanted.on_gpu:
            return 0.0
        past = [
            run.completed_at - run.started_at
            for run in self.live.executions
            if run.executable == wanted.configuration.executable
            and run.status == "COMPLETED"
            and run.started_at
            and run.completed_at
        ]
        return max(past, default=wanted.budget.timeout or timedelta()) / _HOUR


def _end(run: Execution) -> datetime | None:
    return None if run.active else run.completed_at or run.modified_at


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def _group(wanted: DesiredExecution) -> str:
    return f"{wanted.configuration.scenario}/{wanted.group}"


def _launch(wanted: DesiredExecution, state: RunState, number: int, held: str | None = None) -> Change:
    waiting = state.verdict.reason is Reason.WAITING_FOR_DEPENDENCY
    reason = state.verdict.message or "no run of this configuration has completed"
    if held and not waiting:
        reason = f"{reason}; held back by {held}"
    action = Action.WAIT if held else Action.LAUNCH
    address = wanted.address if wanted.budget.want == 1 else f"{wanted.address}#{number + 1}"
    name, failure = wanted.configuration.full_name, state.failure
    return Change(address, action, Category.RUN, reason, name, subject=wanted, failure=failure)


def _stop(wanted: DesiredExecution, run: Execution) -> Change:
    reason = f"{run.id} has run longer than its timeout of {wanted.budget.timeout}"
    return Change(wanted.address, Action.STOP, Category.RUN, reason, run.id, subject=run)
