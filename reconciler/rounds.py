"""Apply, wait, look again, until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.aicore import AICore
from reconciler.apply import Applied, Outcome, Workplace, apply, refuse
from reconciler.bindings import bind
from reconciler.branch import Follower
from reconciler.check import UNCHECKED
from reconciler.connection import connect, connect_readonly
from reconciler.desired import Desired
from reconciler.errors import InputRejectedError
from reconciler.events import Emitter, EventKind
from reconciler.find import find_configurations
from reconciler.follow import follow
from reconciler.gitops import Publication
from reconciler.live import Live
from reconciler.locks import Lock, open_lock
from reconciler.plan_model import Action, Category, Plan, Problem, StageName, counted
from reconciler.planfile import PlanFile
from reconciler.result import Options, Result
from reconciler.runs import executions_of, left_over
from reconciler.status import Status, executions_shown, status
from reconciler.steward import Steward
from reconciler.view import View, look, unregistered, with_warnings
from reconciler.watch import Progress
from reconciler.workbench import Bench

if TYPE_CHECKING:
    from reconciler.session import Session


def run_apply(
    session: Session,
    options: Options,
    emit: Emitter,
    *,
    confirm: Callable[[Plan], bool] | None,
    approved: PlanFile | None,
) -> Result | None:
    """See `Session.apply`."""
    if approved is not None:
        approved.check_environment(session.environment)
        if options.max_launches is None:
            options = replace(options, max_launches=approved.max_launches)
        options = replace(options, prune=options.prune or approved.prune)
    shown: Plan | None = None
    if confirm is not None:
        shown = session.plan(max_launches=options.max_launches, prune=options.prune)
        if not shown.empty:
            refuse(shown)
            if not confirm(shown):
                return None
    return _Rounds(session, options, emit, approved=approved).run(shown)


def run_reconcile(session: Session, options: Options, emit: Emitter, follower: Follower) -> Result:
    """See `Session.reconcile_once`."""
    if moved := follower.follow():
        emit(EventKind.DONE, f"branch/{moved}", "the checkout is at what was pushed")
    bench = session.bench()
    git = session.checkout(bench)
    address = f"branch/{bench.environment.git.branch}"
    git.check_merged()
    done = git.publish(bench.rendered)
    if done and done.commit:
        what = "waits to be merged" if done.awaits_merge else "rendered/ is what the specs render"
        emit(EventKind.DONE, address, f"pushed {done.commit[:10]} to {done.branch}: {what}")
    waiting = _proposal(done, bench) if done and done.awaits_merge else None
    return _Rounds(session, options, emit, waiting).run(None)


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
        self._clock = session.clock
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
        reached = read_status(final.bench, final.live, reader)
        self._emit.states(reached.rows)
        return Result(
            plan=self._first or final.plan,
            applied=tuple(self._applied),
            ended=tuple(self._ended),
            final=self._noted(with_warnings(final.plan, self._left_alone(final))),
            status=reached,
        )

    def _noted(self, made: Plan) -> Plan:
        return with_warnings(made, (self._proposal,)) if self._proposal else made

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
            folder=session.lock_folder,
            clock=self._clock,
        )
        self._emit.at(git.commit)
        with lock:
            git.fetch()
            aicore = connect(bench.environment, root, self._clock, before_write=lock.check)
            left, merged_only = self._launches_left(bench), self._proposal is not None
            gone = sum(item.action is Action.PRUNE for item in self._applied)
            view = look(
                root,
                bench,
                git,
                aicore,
                self._clock,
                session.catalog,
                left,
                self._options.prune,
                merged_only=merged_only,
                gone=gone,
            )
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
        for address in sorted({check.address for check in view.bench.checks(unregistered(now))} - unchecked):
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


def _guard(lock: Lock, steward: Steward) -> Callable[[], None]:
    def guard() -> None:
        lock.check()
        steward.check()

    return guard


def _proposal(done: Publication, bench: Bench) -> Problem:
    branch = bench.environment.git.branch
    return Problem(
        f"branch/{branch}",
        "pull-request",
        f"not what the specs render ({counted(done.files, 'stale file')}); {done.branch} is, and waits to be "
        f"merged: {done.compare_url or f'open a pull request from it to {branch}'}",
        "What depends on a template that is not merged is left alone until then.",
    )


def _active(view: View, outcome: Outcome) -> dict[str, str]:
    """Execution id -> address of every wanted run under way, those just started included.

    Where there is none, and runs of earlier contents take all places that wanted ones wait for: those.
    """
    desired = bind(view.bench.desired, view.live)
    found = {
        run.id: wanted.address
        for wanted in desired.executions
        if not wanted.configuration.observed
        for run in executions_of(find_configurations(wanted.configuration, view.live), view.live)
        if run.active
    }
    found |= outcome.launched
    waits = any(c.action is Action.WAIT and c.category is Category.RUN for c in view.plan.changes)
    left = left_over(desired, view.live) if waits and not found else ()
    if left and len(left) >= view.bench.environment.policy.max_concurrent:
        return {run.id: f"configuration/{run.scenario}/{run.configuration_name}" for run in left}
    return found


def read_status(bench: Bench, live: Live, aicore: AICore) -> Status:
    """How every address stands. Reads what the executions that are shown have measured."""
    shown = executions_shown(bench.desired, live)
    return status(bench.desired, live, aicore.metrics(shown) if shown else {})
