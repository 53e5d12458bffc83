"""Walk the stages of a plan. What the plan printed is what happens, in that order, and nothing else.

Every create is observed-absent -> create -> on doubt look again (`retry.ensure`), so that an apply which
was killed anywhere can simply be run again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from generator.spec.environment import Environment
from reconciler.aicore import AICoreWriter
from reconciler.backoff import OF_THE_SERVICE, needs, separable
from reconciler.bindings import bind
from reconciler.clock import Clock
from reconciler.counts import Counts
from reconciler.dataset import DatasetManifest
from reconciler.deploy import deploy, take_away
from reconciler.desired import (
    Desired,
    DesiredConfiguration,
    DesiredDataset,
    DesiredExecution,
    DesiredOutput,
)
from reconciler.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    InputRejectedError,
    NotFoundError,
    PolicyError,
    ReconcilerError,
    StaleRenderError,
    TransientError,
)
from reconciler.events import Emitter, EventKind
from reconciler.find import find_artifacts, find_configurations, known_artifact
from reconciler.live import Live
from reconciler.objectstore import ObjectStore
from reconciler.onboard import Onboarder
from reconciler.onboarding import find_application
from reconciler.plan_model import Action, Change, Plan, StageName
from reconciler.promotion import Promotion
from reconciler.retry import ensure
from reconciler.sync import wait_for_templates
from reconciler.templates import GitReader
from reconciler.upload import UploadProgress, upload


@dataclass(frozen=True, slots=True)
class Workplace:
    """Everything an apply works with besides AI Core."""

    environment: Environment
    root: Path
    manifests: Mapping[str, DatasetManifest]  #: `<scenario>/<dataset>` -> content
    stores: Mapping[str, ObjectStore]
    git: GitReader
    clock: Clock
    sync_timeout: timedelta = timedelta(minutes=10)
    #: what the checks of these datasets have counted; kept beside their uploads
    counts: Callable[[frozenset[str]], Mapping[str, Counts]] = lambda _: {}
    #: called before every write; raises when this process may no longer write
    guard: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Applied:
    """One finished change; `id` is AI Core's, empty where it gives none."""

    address: str
    action: Action
    id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did."""

    applied: tuple[Applied, ...] = ()

    @property
    def launched(self) -> Mapping[str, str]:
        """Execution id -> address of every run that was started."""
        return {item.id: item.address for item in self.applied if item.action is Action.LAUNCH}


def apply(
    plan: Plan, desired: Desired, live: Live, aicore: AICoreWriter, place: Workplace, emit: Emitter
) -> Outcome:
    """Carry out `plan`, which was made from `desired` and `live`.

    Raises ConflictError or PolicyError (the plan's errors) and StaleRenderError before any request; later
    whatever the port, the stores and the sync raise. Where one object fails, the others that do not need it
    are made before its error is raised. What was done stays, and the next apply goes on from there.
    """
    refuse(plan)
    return _Apply(bind(desired, live), live, aicore, place, emit).run(plan)


def refuse(plan: Plan) -> None:
    """Raise if the plan must not be carried out."""
    if plan.errors:
        first = plan.errors[0]
        kind = PolicyError if first.code == "policy" else ConflictError
        every = "\n".join(f"{e.address}: {e.message}" for e in plan.errors)
        raise kind(every, remedy=first.remedy)
    if stale := plan.of(StageName.PUBLISH):
        files = "\n".join(f"{change.address}: {change.reason}" for change in stale)
        raise StaleRenderError(files, remedy="Run: corespec render && corespec publish")


@dataclass
class _Apply:
    desired: Desired
    live: Live
    aicore: AICoreWriter
    place: Workplace
    emit: Emitter
    applied: list[Applied] = field(default_factory=list)
    failed: list[ReconcilerError] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  #: addresses that have failed, and what needs them

    def __post_init__(self) -> None:
        artifacts = {d.address: find_artifacts(d, self.live.artifacts) for d in self.desired.datasets}
        configurations = {c.address: find_configurations(c, self.live) for c in self.desired.configurations}
        self.artifacts = {address: found[0].id for address, found in artifacts.items() if found}
        for known in self.desired.artifacts:
            if artifact := known_artifact(known, self.live.artifacts):
                self.artifacts[known.address] = artifact.id
        self.configurations = {address: found[0].id for address, found in configurations.items() if found}
        self.known_runs = {run.id for run in self.live.executions}

    def run(self, plan: Plan) -> Outcome:
        steps: dict[StageName, Callable[[Change], str]] = {
            StageName.ONBOARD: self._onboard,
            StageName.UPLOAD: self._upload,
            StageName.REGISTER: self._register,
            StageName.CONFIGURE: self._configure,
            StageName.STOP: self._stop,
            StageName.LAUNCH: self._launch,
            StageName.DEPLOY: self._deploy,
            StageName.PRUNE: self._prune,
        }
        for stage in plan.stages:
            self.emit(EventKind.STAGE, stage.name.value, f"{len(stage.changes)} to do")
            if stage.name is StageName.SYNC:
                self._sync(stage.changes)
                continue
            for change in stage.changes:
                self._change(change, steps[stage.name])
        if self.failed:
            raise self.failed[0]
        return Outcome(tuple(self.applied))

    def _change(self, change: Change, step: Callable[[Change], str]) -> None:
        """Make one change. One that fails keeps no other from being made but those that need it."""
        if change.action is Action.WAIT:
            self.emit(EventKind.WAITING, change.address, change.reason)
            return
        if change.action is not Action.STOP and self.gone & {change.address, *needs(change)}:
            self.gone.add(change.address)
            return
        try:
            self._step(change, step)
        except (ApiError, NotFoundError, InputRejectedError, TransientError) as error:
            if isinstance(error, AuthenticationError) or not separable(change.address):
                raise
            self.failed.append(error)
            self.gone.add(change.address)
            if sum(isinstance(one, TransientError) for one in self.failed) >= OF_THE_SERVICE:
                raise self.failed[0] from None

    def _step(self, change: Change, step: Callable[[Change], str]) -> None:
        self.place.guard()
        self.emit(EventKind.STARTED, change.address, change.reason, action=change.action.value)
        try:
            id_ = step(change)
        except ReconcilerError as error:
            passing = isinstance(error, TransientError)
            self.emit(
                EventKind.FAILED, change.address, error.message, action=change.action.value, transient=passing
            )
            raise
        self._done(change, id_)

    def _done(self, change: Change, id_: str) -> None:
        self.applied.append(Applied(change.address, change.action, id_))
        self.emit(EventKind.DONE, change.address, change.name, id=id_, action=change.action.value)

    def _onboard(self, change: Change) -> str:
        place = self.place

        def warn(address: str, message: str) -> None:
            self.emit(EventKind.WARNING, address, message)

        Onboarder(self.aicore, place.environment, place.root, place.clock, warn).carry_out(change)
        return change.name

    def _upload(self, change: Change) -> str:
        dataset: DesiredDataset = change.subject

        def progress(state: UploadProgress) -> None:
            self.emit(
                EventKind.UPLOADING,
                change.address,
                f"{state.files_done} of {state.files} files",
                files_done=state.files_done,
                files=state.files,
                bytes_done=state.bytes_done,
                bytes=state.bytes,
                rate=state.rate,
                eta_seconds=state.eta_seconds,
            )

        name = f"{dataset.scenario}/{dataset.name}"
        store, manifest = self.place.stores[dataset.store], self.place.manifests[name]
        notes = self.place.counts(frozenset({name})).get(name)
        upload(store, dataset.prefix, manifest, progress, notes=notes, clock=self.place.clock)
        return dataset.url

    def _register(self, change: Change) -> str:
        dataset: DesiredDataset = change.subject

        def find() -> str | None:
            found = find_artifacts(dataset, self.aicore.artifacts(dataset.scenario))
            return found[0].id if found else None

        def create() -> str:
            return self.aicore.create_artifact(
                name=dataset.name,
                kind=dataset.kind,
                url=dataset.url,
                scenario=dataset.scenario,
                description=dataset.description,
                labels=dataset.labels,
            )

        self.artifacts[dataset.address] = ensure(find, create, self.place.clock)
        return self.artifacts[dataset.address]

    def _sync(self, changes: tuple[Change, ...]) -> None:
        application = find_application(self.desired.onboarding, self.live.applications)
        wait_for_templates(
            self.aicore,
            application.name if application else self.desired.onboarding.application,
            tuple(change.subject for change in changes),
            self.place.git,
            timeout=self.place.sync_timeout,
            clock=self.place.clock,
            emit=self.emit,
        )
        for change in changes:
            self._done(change, change.name)

    def _configure(self, change: Change) -> str:
        wanted: DesiredConfiguration = change.subject

        def find() -> str | None:
            again = Live(
                observed_at=self.live.observed_at,
                artifacts=self.aicore.artifacts(wanted.scenario),
                configurations=self.aicore.configurations(wanted.scenario),
            )
            found = find_configurations(wanted, again)
            return found[0].id if found else None

        def create() -> str:
            return self.aicore.create_configuration(
                name=wanted.full_name,
                scenario=wanted.scenario,
                executable=wanted.executable,
                parameters=wanted.parameters,
                inputs={
                    port: item.artifact if isinstance(item, DesiredOutput) else self.artifacts[item.address]
                    for port, item in wanted.inputs.items()
                },
            )

        self.configurations[wanted.address] = ensure(find, create, self.place.clock)
        return self.configurations[wanted.address]

    def _launch(self, change: Change) -> str:
        wanted: DesiredExecution = change.subject
        configuration = self.configurations[wanted.configuration.address]
        scenario = wanted.configuration.scenario

        def find() -> str | None:
            runs = self.aicore.executions(scenario, configuration)
            fresh = [
                run for run in runs if run.id not in self.known_runs and run.configuration == configuration
            ]
            return min(fresh, key=lambda run: (run.created_at, run.id)).id if fresh else None

        started = ensure(find, lambda: self.aicore.create_execution(configuration), self.place.clock)
        self.known_runs.add(started)
        return started

    def _deploy(self, change: Change) -> str:
        promotion: Promotion = change.subject
        configuration = self.configurations.get(change.address)
        if configuration is None and promotion.configuration is not None:
            configuration = find_configurations(promotion.configuration, self.live)[0].id
        return deploy(promotion, configuration or "", self.aicore, self.live, self.place.clock)

    def _prune(self, change: Change) -> str:
        return take_away(change, self.aicore, self.place.clock)

    def _stop(self, change: Change) -> str:
        # The next observation shows whether it was heard; asking twice does no harm.
        with contextlib.suppress(TransientError, NotFoundError):
            self.aicore.stop_execution(change.name)
        return change.name
