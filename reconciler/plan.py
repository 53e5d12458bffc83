"""`(desired, live, policy) -> Plan`. Pure: no I/O, no clock, no randomness.

Configurations and artifacts are addressed by content, so comparing them is set membership. Executions are
level-triggered (`health.runs`). What nobody wants any more is reported as retired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from generator.spec.operations import Policy
from reconciler.adoption import adopted_problems, why_not_adopted
from reconciler.bindings import bind
from reconciler.deployments import plan_deployments, unwanted
from reconciler.desired import (
    DATASET_LABEL,
    Desired,
    DesiredConfiguration,
    DesiredTemplate,
)
from reconciler.expectation import expectation
from reconciler.explain import differences, own_name, predecessor
from reconciler.find import find_artifacts, find_configurations, holds
from reconciler.live import Configuration, Live, TemplateState
from reconciler.onboarding import foreign, not_compared, onboarding
from reconciler.plan_model import (
    Action,
    Category,
    Change,
    FieldChange,
    Plan,
    Problem,
    Stage,
    StageName,
    counted,
)
from reconciler.prune import Pruned, Pruning, plan_prune
from reconciler.runs import plan_runs, run_states
from reconciler.suspension import overdue

__all__ = ["Action", "Category", "Change", "FieldChange", "Plan", "Problem", "Stage", "StageName", "plan"]

_NO_STATE = TemplateState(synced=False, published=False)


def plan(
    desired: Desired,
    live: Live,
    policy: Policy,
    held: Collection[str] = (),
    pruning: Pruning | None = None,
) -> Plan:
    """Everything that `apply` would do, in its order, with the reason for each step.

    Nothing is planned for the executables in `held`: their templates wait for somebody else's decision.
    Without `pruning` nothing is taken away.
    """
    everything = bind(desired.ordered(), live)
    desired = everything.without(held)
    want = desired.onboarding
    configurations = {wanted.address: find_configurations(wanted, live) for wanted in desired.configurations}
    serving = plan_deployments(everything, live, held)
    adopted = adopted_problems(everything, live)
    conflicts = [_conflict(wanted, live) for wanted in (*desired.configurations, *serving.wanted)]
    runs = plan_runs(desired, live, configurations, policy)
    pruned = _pruned(everything, live, serving.names, policy, pruning)
    changed = {
        c.executable
        for c in desired.configurations
        if not configurations[c.address] and not c.waits_for and not c.observed
    }
    stages = (
        Stage(StageName.ONBOARD, tuple(onboarding(want, live))),
        Stage(StageName.PUBLISH, tuple(_publish(desired, live, changed))),
        Stage(StageName.UPLOAD, tuple(_uploads(desired, live))),
        Stage(StageName.REGISTER, tuple(_registrations(desired, live))),
        Stage(StageName.SYNC, tuple(_syncs(desired, live, changed))),
        Stage(
            StageName.CONFIGURE,
            (*_configurations(desired, live, configurations), *serving.configurations),
        ),
        Stage(StageName.STOP, runs.stops),
        Stage(StageName.LAUNCH, runs.launches),
        Stage(StageName.DEPLOY, serving.deployments),
        Stage(StageName.PRUNE, pruned.changes),
    )
    return Plan(
        environment=desired.environment,
        stages=tuple(stage for stage in stages if stage.changes),
        retired=tuple(_retired(everything, live, serving.names)),
        warnings=tuple(
            sorted(
                [
                    *serving.warnings,
                    *_unasked(everything, live, pruned),
                    *adopted.warnings,
                    *overdue(everything, live.observed_at).values(),
                    *not_compared(live),
                ]
            )
        ),
        errors=tuple(
            sorted(
                [
                    *foreign(want, live),
                    *(c for c in conflicts if c),
                    *runs.errors,
                    *serving.errors,
                    *adopted.errors,
                    *pruned.errors,
                ]
            )
        ),
        unhealthy=(*runs.unhealthy, *serving.unhealthy),
        expected=expectation(_started(runs.launches), live.executions),
    )


def _pruned(
    desired: Desired, live: Live, serving: Collection[str], policy: Policy, pruning: Pruning | None
) -> Pruned:
    if pruning is None:
        return Pruned()
    return plan_prune(desired, live, run_states(desired, live), serving, policy.prune, pruning)


def _unasked(desired: Desired, live: Live, pruned: Pruned) -> Iterator[Problem]:
    """What stays although no spec asks for it: one line for each thing."""
    named = {change.address for change in pruned.changes} | {problem.address for problem in pruned.kept}
    yield from pruned.kept
    yield from (problem for problem in unwanted(desired, live) if problem.address not in named)


def _started(launches: Iterable[Change]) -> Iterator[tuple[str, str]]:
    for change in launches:
        if change.action is Action.LAUNCH:
            yield change.subject.configuration.scenario, change.subject.configuration.executable


def unpublished(desired: Desired, live: Live) -> frozenset[str]:
    """Executables whose template on the branch is not what the specs render."""
    stale = (t.executable for t in desired.templates if not _state(t, live).published)
    return frozenset(stale)


def _conflict(wanted: DesiredConfiguration, live: Live) -> Problem | None:
    for other in live.configurations_by_name.get(wanted.full_name, ()):
        if not holds(other, wanted, live):
            return Problem(
                wanted.address,
                "conflict",
                f"configuration {other.id} in AI Core is called {other.name} and holds something else",
                "It was not made by corespec from these specs. Rename the configuration in the spec.",
            )
    return None


def _state(template: DesiredTemplate, live: Live) -> TemplateState:
    return live.templates.get(template.executable, _NO_STATE)


def _publish(desired: Desired, live: Live, changed: set[str]) -> Iterator[Change]:
    for template in desired.templates:
        if not _state(template, live).published:
            reason = f"{template.path} on {desired.onboarding.branch} is not what the specs render"
            yield _template_change(template, Action.PUBLISH, reason, changed)


def _syncs(desired: Desired, live: Live, changed: set[str]) -> Iterator[Change]:
    for template in desired.templates:
        state = _state(template, live)
        if not state.synced:
            at = f" (AI Core is at {state.revision[:10]})" if state.revision not in {"", "Unknown"} else ""
            reason = state.message or f"AI Core has not synced {template.path} yet"
            yield _template_change(template, Action.SYNC, f"{reason}{at}", changed)


def _template_change(template: DesiredTemplate, action: Action, reason: str, changed: set[str]) -> Change:
    category = Category.RETRAIN if template.executable in changed else Category.METADATA
    return Change(template.address, action, category, reason, template.executable, subject=template)


def _uploads(desired: Desired, live: Live) -> Iterator[Change]:
    for dataset in desired.datasets:
        if f"{dataset.store}/{dataset.prefix}" not in live.complete_uploads:
            size = f"{counted(dataset.files, 'file')}, {counted(dataset.bytes, 'byte')}"
            reason = f"not in object store {dataset.store} yet: {size}"
            yield Change(dataset.address, Action.UPLOAD, Category.DATA, reason, dataset.url, subject=dataset)


def _registrations(desired: Desired, live: Live) -> Iterator[Change]:
    for dataset in desired.datasets:
        if find_artifacts(dataset, live.artifacts):
            continue
        earlier = [
            a
            for a in live.artifacts
            if a.scenario == dataset.scenario and a.labels.get(DATASET_LABEL) == dataset.name
        ]
        last = max(earlier, key=lambda a: (a.created_at, a.id), default=None)
        fields = (FieldChange("url", last.url if last else None, dataset.url),)
        reason = "its content or place has changed" if last else "no artifact holds this content"
        yield Change(
            dataset.address, Action.CREATE, Category.DATA, reason, dataset.name, fields, subject=dataset
        )


def _configurations(
    desired: Desired, live: Live, found: dict[str, tuple[Configuration, ...]]
) -> Iterator[Change]:
    templates = {template.executable: template.document for template in desired.templates}
    for wanted in desired.configurations:
        if found[wanted.address] or wanted.waits_for or wanted.observed:
            continue
        old = predecessor(wanted, live)
        fields = differences(old, wanted, templates[wanted.executable], live) if old else ()
        yield Change(
            wanted.address,
            Action.CREATE,
            Category.RETRAIN,
            _why_new(wanted, old, fields),
            wanted.full_name,
            fields,
            subject=wanted,
        )


def _why_new(wanted: DesiredConfiguration, old: Configuration | None, fields: tuple[FieldChange, ...]) -> str:
    if old is None:
        return "no configuration of this name and content exists"
    if not fields and wanted.adopted and wanted.adopted.id == old.id:
        return why_not_adopted(wanted, old)
    if not fields:
        return f"the template differs from the one of {old.name}"
    return f"differs from {old.name}"


def _retired(desired: Desired, live: Live, served: Collection[str]) -> Iterator[Change]:
    names = {wanted.full_name for wanted in desired.configurations} | set(served)
    urls = {dataset.url for dataset in desired.datasets}
    why = "no longer wanted; AI Core has no way to delete it"
    for old in sorted(live.configurations, key=lambda c: (c.scenario, c.name, c.id)):
        if (name := own_name(old)) and old.name not in names:
            address = f"configuration/{old.scenario}/{name}"
            yield Change(address, Action.RETIRE, Category.METADATA, why, old.name, subject=old)
    for artifact in sorted(live.artifacts, key=lambda a: (a.scenario, a.url, a.id)):
        name = artifact.labels.get(DATASET_LABEL)
        if name and artifact.url not in urls:
            address = f"dataset/{artifact.scenario}/{name}"
            yield Change(address, Action.RETIRE, Category.METADATA, why, artifact.url, subject=artifact)
