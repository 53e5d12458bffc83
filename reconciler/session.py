"""What the verbs and the console call: one environment of one project, read afresh at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from generator.images.engine import Engine
from reconciler.aicore import AICore
from reconciler.apply import Applied, Outcome, Workplace, apply, refuse
from reconciler.bindings import bind
from reconciler.branch import Follower
from reconciler.check import UNCHECKED
from reconciler.clock import Clock, SystemClock
from reconciler.compare import Measured
from reconciler.connection import connect, connect_readonly, credentials
from reconciler.counts import with_counts
from reconciler.desired import Desired
from reconciler.drift_model import Drift
from reconciler.drifting import find_drift
from reconciler.errors import InputRejectedError
from reconciler.events import Emitter, EventKind, EventLog, Listener
from reconciler.exitcode import ExitCode
from reconciler.find import find_configurations
from reconciler.follow import follow
from reconciler.gitops import Checkout, Publication
from reconciler.live import Configuration, Execution, Live, LogLine, Metrics
from reconciler.locks import Lock, open_lock
from reconciler.observe import observe
from reconciler.plan import plan, unpublished
from reconciler.plan_model import Action, Plan, Problem, StageName, counted
from reconciler.planfile import Origin, PlanFile, origin
from reconciler.prune import Permission
from reconciler.pruning import look_back
from reconciler.runs import executions_of
from reconciler.status import Status, executions_shown, status
from reconciler.steward import Nobody, Steward
from reconciler.watch import ENDED, POLL_SECONDS, Progress, watch
from reconciler.workbench import WORK, Bench, set_up

__all__ = ["Options", "Result", "Session", "View", "open_session"]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """How an apply behaves. Times in seconds."""

    wait: bool = True  #: until every execution that is wanted has ended
    max_launches: int | None = None  #: instead of policy.maxLaunchesPerApply
    prune: Permission | None = None  #: take away what no spec wants any more; None: nothing
    lock_timeout: float = 0.0
    sync_timeout: float = 600.0
    poll_seconds: float = POLL_SECONDS


@dataclass(frozen=True, slots=True)
class Result:
    """What an apply has done and how things stand after it."""

    plan: Plan  #: what was asked for at the beginning
    applied: tuple[Applied, ...]
    ended: tuple[Progress, ...]  #: executions that ended while we waited
    final: Plan  #: what is still to do
    status: Status

    @property
    def exit_code(self) -> ExitCode:
        """0 converged, 3 something is held back, 4 not healthy; errors are raised instead."""
        return self.final.exit_code


@dataclass(frozen=True, slots=True)
class View:
    """One look: what is wanted, what is, and what follows."""

    bench: Bench
    live: Live
    plan: Plan
    origin: Origin


class Session:
    """One environment of one project.

    Methods raise generator.errors.InputError and reconciler.errors.ReconcilerError; each carries its exit
    code.
    """

    def __init__(
        self,
        root: Path,
        environment: str,
        catalog: Sequence[Path] = (),
        *,
        clock: Clock | None = None,
        lock_folder: Path | None = None,
    ) -> None:
        self.root = root.resolve()
        self.environment = environment
        self._catalog = tuple(catalog)
        self._clock = clock or SystemClock()
        self._lock_folder = lock_folder
        self._follower = Follower(self.root, environment)
        self.steward: Steward = Nobody()  #: the daemon puts itself here

    def view(self, *, max_launches: int | None = None, prune: Permission | None = None) -> View:
        """Read everything and plan; the datasets that would be uploaded are checked first."""
        bench = self.bench()
        git = self.checkout(bench)
        git.fetch()
        aicore = connect_readonly(bench.environment, self.root, self._clock)
        return self._look(bench, git, aicore, max_launches, prune)

    def plan(self, *, max_launches: int | None = None, prune: Permission | None = None) -> Plan:
        """What `apply` would do."""
        return self.view(max_launches=max_launches, prune=prune).plan

    def apply(
        self,
        options: Options | None = None,
        *,
        confirm: Callable[[Plan], bool] | None = None,
        approved: PlanFile | None = None,
        listener: Listener | None = None,
    ) -> Result | None:
        """Plan, ask `confirm` if given, and carry the plan out; None when it was declined.

        With `approved` only what that file shows is done, and nothing at all if it is stale.
        Raises PolicyError, ConflictError, DatasetError, StaleRenderError before anything is created.
        """
        chosen = options or Options()
        if approved is not None:
            approved.check_environment(self.environment)
            if chosen.max_launches is None:
                chosen = replace(chosen, max_launches=approved.max_launches)
            chosen = replace(chosen, prune=chosen.prune or approved.prune)
        shown: Plan | None = None
        if confirm is not None:
            shown = self.plan(max_launches=chosen.max_launches, prune=chosen.prune)
            if not shown.empty:
                refuse(shown)
                if not confirm(shown):
                    return None
        return _Rounds(self, chosen, self._emitter(listener), approved=approved).run(shown)

    def reconcile_once(self, options: Options | None = None, *, listener: Listener | None = None) -> Result:
        """Follow the branch, publish a stale rendered/ where the environment allows it, and apply.

        Where that takes a pull request, its branch is pushed, and what depends on a template that is not
        merged is left alone. Raises RepositoryError when Git refuses, and whatever `apply` raises.
        """
        emit = self._emitter(listener)
        if moved := self._follower.follow():
            emit(EventKind.DONE, f"branch/{moved}", "the checkout is at what was pushed")
        bench = self.bench()
        git = self.checkout(bench)
        address = f"branch/{bench.environment.git.branch}"
        git.check_merged()
        done = git.publish(bench.rendered)
        if done and done.commit:
            what = "waits to be merged" if done.awaits_merge else "rendered/ is what the specs render"
            emit(EventKind.DONE, address, f"pushed {done.commit[:10]} to {done.branch}: {what}")
        proposal = _proposal(done, bench) if done and done.awaits_merge else None
        return _Rounds(self, options or Options(), emit, proposal).run(None)

    def _emitter(self, listener: Listener | None) -> Emitter:
        log = EventLog(self.root / WORK / "events.jsonl")
        return Emitter(self._clock, log, *([listener] if listener else []))

    def status(self) -> Status:
        """How every address stands; nothing is checked or changed."""
        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self._clock)
        live = observe(aicore, bench.desired, bench.stores, self.checkout(bench), self._clock)
        return _status(bench, live, aicore)

    def drift(self, engine: Engine | None = None) -> Drift:
        """What somebody changed by hand, compared with the specs of the branch's head; `engine`: a Docker
        engine through which registries are asked for moved tags too. Only reads.
        """
        return find_drift(self.root, self.environment, self._catalog, self._clock, engine)

    def executions(self) -> tuple[Execution, ...]:
        """All executions of the project's scenarios, latest first."""
        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self._clock)
        runs = (run for scenario in bench.desired.scenarios for run in aicore.executions(scenario))
        return tuple(sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True))

    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations of the project's scenarios, latest first."""
        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self._clock)
        found = (c for scenario in bench.desired.scenarios for c in aicore.configurations(scenario))
        return tuple(sorted(found, key=lambda c: (c.created_at, c.id), reverse=True))

    def find_execution(self, name: str) -> Execution:
        """An execution by id, by the name of its configuration, or by the spec's name (the latest one then).

        Raises InputRejectedError listing what there is.
        """
        runs = self.executions()
        adopted = {one.adopted.id: one.name for one in self.bench().desired.configurations if one.adopted}
        wanted = name.removeprefix("execution/").rpartition("/")[2]

        def called(run: Execution) -> str:
            plain = run.configuration_name.rpartition("--")[0] or run.configuration_name
            return adopted.get(run.configuration, plain)

        for run in runs:
            if wanted in {run.id, run.configuration_name, called(run)}:
                return run
        known = ", ".join(dict.fromkeys(map(called, runs))) or "none"
        raise InputRejectedError(f"There is no execution {name!r}.", remedy=f"Known by name: {known}.")

    def logs(self, execution: str, *, follow: bool = False) -> Iterator[LogLine]:
        """The log of an execution (see `find_execution`), oldest line first; `follow`: until it has ended."""
        run, aicore = self.find_execution(execution), self._reader()
        start = run.created_at - timedelta(minutes=5)
        seen: set[LogLine] = set()
        while True:
            ended = not follow or aicore.execution(run.id).status in ENDED
            for line in aicore.logs(run.id, start):
                if line not in seen:
                    seen.add(line)
                    start = max(start, line.timestamp)
                    yield line
            if ended:
                return
            self._clock.sleep(POLL_SECONDS)

    def metrics(self, execution: str) -> Metrics:
        """All that an execution (see `find_execution`) has tracked; empty when that is nothing."""
        run = self.find_execution(execution)
        return self._reader().metrics([run.id]).get(run.id, Metrics(run.id))

    def measured(self, executions: Sequence[str] = ()) -> list[Measured]:
        """Executions (see `find_execution`) with their configurations and metrics; without names, the latest
        of each configuration that has tracked anything.
        """
        configurations = {item.id: item for item in self.configurations()}
        if executions:
            runs = [self.find_execution(name) for name in executions]
        else:
            latest: dict[str, Execution] = {}
            for run in self.executions():
                latest.setdefault(run.configuration, run)
            runs = list(latest.values())
        tracked = self._reader().metrics([run.id for run in runs]) if runs else {}
        return [
            Measured(run, configurations[run.configuration], tracked.get(run.id, Metrics(run.id)))
            for run in runs
            if run.configuration in configurations
            and (executions or (run.id in tracked and tracked[run.id].metrics))
        ]

    def watch(self, executions: Sequence[str], poll_seconds: float = POLL_SECONDS) -> Iterator[Progress]:
        """Look at executions (ids) until all have ended."""
        return watch(self._reader(), executions, self._clock, poll_seconds)

    def _reader(self) -> AICore:
        bench = self.bench()
        return connect_readonly(bench.environment, self.root, self._clock)

    def bench(self) -> Bench:
        """Specs, templates and data as they are now; requests go out for data from https and s3 alone."""
        return set_up(self.root, self.environment, self._catalog, self._clock)

    def checkout(self, bench: Bench) -> Checkout:
        """The clone that holds the project."""
        return Checkout(self.root, bench.environment)

    def _look(
        self,
        bench: Bench,
        git: Checkout,
        aicore: AICore,
        max_launches: int | None,
        prune: Permission | None,
        *,
        merged_only: bool = False,
        gone: int = 0,
    ) -> View:
        live = observe(aicore, bench.desired, bench.stores, git, self._clock)
        policy = bench.environment.policy
        if max_launches is not None:
            policy = policy.model_copy(update={"max_launches_per_apply": max_launches})
        held = unpublished(bench.desired, live) if merged_only else frozenset()
        pruning = look_back(bench, live, git, self._catalog, prune, gone) if prune else None
        made = plan(bench.desired, live, policy, held, pruning)
        new = _unregistered(made)
        made = _with_warnings(made, bench.check_datasets(new))
        base_url = credentials(bench.environment, self.root).base_url
        made_from = origin(bench.environment, base_url, git, live.observed_at, max_launches, prune)
        return View(bench, live, with_counts(made, bench.counts(new), bench.stores), made_from)


class _Rounds:
    """Apply, wait, look again, until nothing is left to do. The lock is not held while waiting.

    With a `proposal` (rendered files wait to be merged) what depends on them is left for a later apply.
    With an `approved` plan everything that it does not show is.
    """

    def __init__(
        self,
        session: Session,
        options: Options,
        emit: Emitter,
        proposal: Problem | None = None,
        approved: PlanFile | None = None,
    ) -> None:
        self._session, self._options, self._emit, self._proposal = session, options, emit, proposal
        self._approved = approved
        self._specs: Desired | None = None  # of the first round
        self._clock = session._clock
        self._applied: list[Applied] = []
        self._ended: list[Progress] = []
        self._first: Plan | None = None

    def run(self, shown: Plan | None) -> Result:
        """`shown`: the plan that was confirmed; refused if it is no longer the plan."""
        last_digest = ""
        while True:
            view, outcome = self._round(shown)
            stuck = view.plan.digest == last_digest and not outcome.launched
            last_digest = view.plan.digest
            active = _active(view, outcome)
            if not self._options.wait or (not active and (stuck or not outcome.applied)):
                break
            if active:
                self._follow(view, active)
        # errors here: the launches of this apply are used up
        if outcome.applied or view.plan.errors or self._proposal:
            view = self._session.view(max_launches=self._options.max_launches, prune=self._options.prune)
        return self._result(view)

    def _result(self, final: View) -> Result:
        reader = connect_readonly(final.bench.environment, self._session.root, self._clock)
        return Result(
            plan=self._first or final.plan,
            applied=tuple(self._applied),
            ended=tuple(self._ended),
            final=self._noted(_with_warnings(final.plan, self._left_alone(final))),
            status=_status(final.bench, final.live, reader),
        )

    def _noted(self, made: Plan) -> Plan:
        return _with_warnings(made, (self._proposal,)) if self._proposal else made

    def _round(self, shown: Plan | None) -> tuple[View, Outcome]:
        session, root = self._session, self._session.root
        bench = session.bench()
        git = session.checkout(bench)
        lock = open_lock(
            bench.environment,
            root,
            "apply",
            commit=git.commit,
            timeout=self._options.lock_timeout,
            folder=session._lock_folder,
            clock=self._clock,
        )
        with lock:
            git.fetch()
            aicore = connect(bench.environment, root, self._clock, before_write=lock.check)
            left, merged_only = self._launches_left(bench), self._proposal is not None
            gone = sum(item.action is Action.PRUNE for item in self._applied)
            prune = self._options.prune
            view = session._look(bench, git, aicore, left, prune, merged_only=merged_only, gone=gone)
            if self._first is None:
                self._begin(view, shown)
            elif view.plan.errors or view.plan.of(StageName.PUBLISH):
                return view, Outcome()  # the launches of this apply are used up, or the branch has moved on
            workplace = Workplace(
                environment=bench.environment,
                root=root,
                manifests=bench.manifests,
                stores=bench.stores,
                counts=bench.counts,
                git=git,
                clock=self._clock,
                sync_timeout=timedelta(seconds=self._options.sync_timeout),
                guard=_guard(lock, session.steward),
            )
            part = self._allowed(view, session.steward.shorten(view.plan))
            outcome = apply(part, bench.desired, view.live, aicore, workplace, self._emit)
        self._applied += outcome.applied
        return view, outcome

    def _allowed(self, view: View, part: Plan) -> Plan:
        if self._approved is None:
            return part
        return self._approved.part_of(part, same_specs=view.bench.desired == self._specs)

    def _left_alone(self, view: View) -> tuple[Problem, ...]:
        if self._approved is None:
            return ()
        return self._approved.left(view.plan, same_specs=view.bench.desired == self._specs)

    def _begin(self, view: View, shown: Plan | None) -> None:
        if self._approved is not None:
            self._approved.check(view.plan, view.origin)
        now = self._first = self._noted(view.plan)
        self._specs = view.bench.desired
        unchecked = {problem.address for problem in now.warnings if problem.code == UNCHECKED}
        for address in sorted({check.address for check in view.bench.checks(_unregistered(now))} - unchecked):
            self._emit(EventKind.CHECKED, address, "every file of it can be used")
        for problem in now.warnings:
            self._emit(EventKind.WARNING, problem.address, problem.message, remedy=problem.remedy)
        refuse(now)
        if shown is not None and not now.within(shown):
            raise InputRejectedError(
                "The plan has changed since it was shown: specs, data or AI Core have moved on.",
                remedy="Run again and look at the new plan.",
            )

    def _launches_left(self, bench: Bench) -> int:
        asked = self._options.max_launches
        limit = bench.environment.policy.max_launches_per_apply if asked is None else asked
        return max(0, limit - sum(item.action is Action.LAUNCH for item in self._applied))

    def _follow(self, view: View, active: Mapping[str, str]) -> None:
        bench = view.bench
        reader = connect_readonly(bench.environment, self._session.root, self._clock)
        self._ended += follow(
            reader,
            active,
            self._clock,
            self._emit,
            until_first_ends=any(change.action is Action.WAIT for change in view.plan.changes),
            poll_seconds=self._options.poll_seconds,
        )


def open_session(
    root: Path, environment: str, catalog: Sequence[Path] = (), *, clock: Clock | None = None
) -> Session:
    """A session on one environment (name) of the project in `root`; `catalog`: folders of own workflows."""
    return Session(root, environment, catalog, clock=clock)


def _guard(lock: Lock, steward: Steward) -> Callable[[], None]:
    def guard() -> None:
        lock.check()
        steward.check()

    return guard


def _unregistered(made: Plan) -> frozenset[str]:
    """`<scenario>/<dataset>` of the datasets that have no artifact yet."""
    return frozenset(change.address.removeprefix("dataset/") for change in made.of(StageName.REGISTER))


def _proposal(done: Publication, bench: Bench) -> Problem:
    branch = bench.environment.git.branch
    return Problem(
        f"branch/{branch}",
        "pull-request",
        f"not what the specs render ({counted(done.files, 'stale file')}); {done.branch} is, and waits to be "
        f"merged: {done.compare_url or f'open a pull request from it to {branch}'}",
        "What depends on a template that is not merged is left alone until then.",
    )


def _with_warnings(made: Plan, warnings: tuple[Problem, ...]) -> Plan:
    return replace(made, warnings=tuple(sorted((*made.warnings, *warnings)))) if warnings else made


def _active(view: View, outcome: Outcome) -> dict[str, str]:
    """Execution id -> address of every wanted run under way, those just started included."""
    found = {
        run.id: wanted.address
        for wanted in bind(view.bench.desired, view.live).executions
        if not wanted.configuration.observed
        for run in executions_of(find_configurations(wanted.configuration, view.live), view.live)
        if run.active
    }
    return found | dict(outcome.launched)


def _status(bench: Bench, live: Live, aicore: AICore) -> Status:
    shown = executions_shown(bench.desired, live)
    return status(bench.desired, live, aicore.metrics(shown) if shown else {})
