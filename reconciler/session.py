"""What the verbs and the console call: one environment of one project, read afresh at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.aicore import AICore
from reconciler.clock import POLL_SECONDS, Clock, SystemClock
from reconciler.connection import connect_readonly
from reconciler.errors import InputRejectedError
from reconciler.gitops import Checkout
from reconciler.live import Configuration, Execution, LogLine, Metrics
from reconciler.observe import observe
from reconciler.plan_model import Plan
from reconciler.postmortem import remembered
from reconciler.result import Options, Result
from reconciler.steward import Nobody, Steward
from reconciler.view import View, look
from reconciler.workbench import EVENTS, WORK, Bench, set_up

# What only some methods need is imported by them: `plan` is asked for often, and starts a process each time.
if TYPE_CHECKING:
    from generator.images.engine import Engine
    from reconciler.branch import Follower
    from reconciler.compare import Measured
    from reconciler.drift_model import Drift
    from reconciler.events import Emitter, Listener
    from reconciler.history import EventLog
    from reconciler.planfile import PlanFile
    from reconciler.prune import Permission
    from reconciler.status import Status
    from reconciler.watch import Progress

__all__ = ["Options", "Result", "Session", "View", "open_session"]


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
        self.catalog = tuple(catalog)
        self.clock = clock or SystemClock()
        self.lock_folder = lock_folder
        self._follower: Follower | None = None  #: of the branch, once somebody follows it
        self._log: EventLog | None = None
        self.steward: Steward = Nobody()  #: the daemon puts itself here

    def view(self, *, max_launches: int | None = None, prune: Permission | None = None) -> View:
        """Read everything and plan; the datasets that would be uploaded are checked first."""
        bench = self.bench()
        git = self.checkout(bench)
        aicore = connect_readonly(bench.environment, self.root, self.clock)
        return look(
            self.root,
            bench,
            git,
            aicore,
            self.clock,
            self.catalog,
            max_launches,
            prune,
            fetch=git.fetch,
        )

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
        from reconciler.rounds import run_apply

        chosen = options or Options()
        emit = self._emitter(listener)
        with emit.failures():
            return run_apply(self, chosen, emit, confirm=confirm, approved=approved)

    def reconcile_once(self, options: Options | None = None, *, listener: Listener | None = None) -> Result:
        """Follow the branch, publish a stale rendered/ where the environment allows it, and apply.

        Where that takes a pull request, its branch is pushed, and what depends on a template that is not
        merged is left alone. Raises RepositoryError when Git refuses, and whatever `apply` raises.
        """
        from reconciler.branch import Follower
        from reconciler.rounds import run_reconcile

        self._follower = self._follower or Follower(self.root, self.environment)
        emit = self._emitter(listener)
        with emit.failures():
            return run_reconcile(self, options or Options(), emit, self._follower)

    def _emitter(self, listener: Listener | None) -> Emitter:
        from reconciler.events import Emitter
        from reconciler.history import EventLog

        self._log = self._log or EventLog(self.root / WORK / EVENTS, self.environment)
        return Emitter(self.clock, self._log, *([listener] if listener else []), log=self._log)

    def status(self) -> Status:
        """How every address stands; nothing is checked or changed."""
        from reconciler.rounds import read_status

        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self.clock)
        git = self.checkout(bench)
        live = observe(aicore, bench.desired, bench.stores, git, self.clock, remembered(self.root))
        return read_status(bench, live, aicore)

    def drift(self, engine: Engine | None = None) -> Drift:
        """What somebody changed by hand, compared with the specs of the branch's head; `engine`: a Docker
        engine through which registries are asked for moved tags too. Only reads.
        """
        from reconciler.drifting import find_drift

        return find_drift(self.root, self.environment, self.catalog, self.clock, engine)

    def executions(self) -> tuple[Execution, ...]:
        """All executions of the project's scenarios, latest first."""
        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self.clock)
        runs = (run for scenario in bench.desired.scenarios for run in aicore.executions(scenario))
        return tuple(sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True))

    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations of the project's scenarios, latest first."""
        bench = self.bench()
        aicore = connect_readonly(bench.environment, self.root, self.clock)
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
        from reconciler.watch import ENDED

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
            self.clock.sleep(POLL_SECONDS)

    def metrics(self, execution: str) -> Metrics:
        """All that an execution (see `find_execution`) has tracked; empty when that is nothing."""
        run = self.find_execution(execution)
        return self._reader().metrics([run.id]).get(run.id, Metrics(run.id))

    def measured(self, executions: Sequence[str] = ()) -> list[Measured]:
        """Executions (see `find_execution`) with their configurations and metrics; without names, the latest
        of each configuration that has tracked anything.
        """
        from reconciler.compare import Measured

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
        from reconciler.watch import watch

        return watch(self._reader(), executions, self.clock, poll_seconds)

    def _reader(self) -> AICore:
        bench = self.bench()
        return connect_readonly(bench.environment, self.root, self.clock)

    def bench(self) -> Bench:
        """Specs, templates and data as they are now; requests go out for data from https and s3 alone."""
        return set_up(self.root, self.environment, self.catalog, self.clock)

    def checkout(self, bench: Bench) -> Checkout:
        """The clone that holds the project."""
        return Checkout(self.root, bench.environment)


def open_session(
    root: Path, environment: str, catalog: Sequence[Path] = (), *, clock: Clock | None = None
) -> Session:
    """A session on one environment (name) of the project in `root`; `catalog`: folders of own workflows."""
    return Session(root, environment, catalog, clock=clock)
