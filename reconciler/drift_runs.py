"""Executions and deployments that somebody else stopped, deleted or started. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from generator.spec.resolve import ResolvedExecution
from reconciler.desired import Desired, DesiredConfiguration, DesiredDeployment, DesiredExecution
from reconciler.drift_model import DriftKind, Finding, Intent
from reconciler.explain import own_name
from reconciler.find import find_configurations
from reconciler.health import Reason, RunBudget, runs
from reconciler.live import STOPPED_STATES, Artifact, Deployment, Execution, Live
from reconciler.promotion import own_servers
from reconciler.runs import executions_of

Intents = Mapping[str, tuple[Intent, ...]]


def run_findings(desired: Desired, live: Live, past: Intents) -> Iterator[Finding]:
    """`desired` is bound; `past`: what earlier spec commits asked for, by address of the configuration."""
    now: dict[str, list[Intent]] = {one.address: [] for one in desired.configurations}
    for wanted in desired.executions:
        now[wanted.configuration.address].append(_intent(wanted.budget))
    for wanted in desired.executions:
        if wanted.configuration.observed:
            continue  # whoever made it may run it and stop it
        address = wanted.configuration.address
        yield from _stopped(wanted, live, (*now[address], *past.get(address, ())))
    for one in desired.configurations:
        if one.observed:
            continue
        for run in _strays(one, live, now[one.address], past.get(one.address, ())):
            yield _stray(one, run)
    yield from _deleted(desired, live)


def history_matters(desired: Desired, live: Live) -> bool:
    """Whether earlier specs may explain what the present ones do not."""
    kinds = {finding.kind for finding in run_findings(desired, live, {})}
    return bool(kinds & {DriftKind.EXECUTION_STOPPED, DriftKind.EXECUTION_STRAY})


def _intent(budget: RunBudget) -> Intent:
    return Intent(budget.want, budget.rerun_after, budget.timeout)


def _stopped(wanted: DesiredExecution, live: Live, asked: Iterable[Intent]) -> Iterator[Finding]:
    """Runs that were stopped before their time was over, as long as they keep the execution from its end.

    corespec itself stops a run only after its timeout.
    """
    executions = executions_of(find_configurations(wanted.configuration, live), live)
    state = runs(wanted.budget, executions, live.observed_at)
    if state.verdict.reason in {Reason.COMPLETED, Reason.NOT_WANTED}:
        return
    since = wanted.budget.rerun_after
    shortest = min((intent.timeout for intent in asked if intent.timeout), default=None)
    for run in executions:
        if (since and run.created_at < since) or not _was_stopped(run):
            continue
        ended = run.completed_at or run.modified_at
        if shortest is not None and ended - (run.started_at or run.created_at) >= shortest:
            continue
        yield Finding(
            wanted.address,
            run.id,
            DriftKind.EXECUTION_STOPPED,
            f"{run.id} of {run.configuration_name} is {_state(run.status, run.target_status)}",
            "a run that nobody stops",
            "Set rerunAfter to start it again, or suspend it in the spec with a reason.",
        )


def _was_stopped(run: Execution | Deployment) -> bool:
    return run.status in STOPPED_STATES or (run.target_status in {"STOPPED", "DELETED"} and _under_way(run))


def _under_way(run: Execution | Deployment) -> bool:
    return run.status in {"UNKNOWN", "PENDING", "RUNNING", "STOPPING", "DELETING"}


def _state(status: str, target: str) -> str:
    return status if status == target or target not in {"STOPPED", "DELETED"} else f"{status}, to be {target}"


def _strays(
    configuration: DesiredConfiguration, live: Live, now: Sequence[Intent], past: Iterable[Intent]
) -> tuple[Execution, ...]:
    """Runs that were started although as many as any spec ever asked for were there already, oldest first.

    A run that failed or was stopped may have been a try of ours, and counts as none; runs from before
    `rerunAfter` are the business of an earlier spec.
    """
    runs_there = executions_of(find_configurations(configuration, live), live)
    # How often it was run before it was adopted, and by whom, nobody knows.
    adopted = configuration.adopted.id if configuration.adopted else ""
    runs_there = tuple(run for run in runs_there if run.configuration != adopted)
    counted = [run for run in runs_there if run.status == "COMPLETED" or run.active]
    explained = {run.id for run in counted if now and not any(_counts(run, intent) for intent in now)}
    for intent in (*now, *past):
        later = [run.id for run in counted if _counts(run, intent)]
        explained.update(later[: intent.want])
    return tuple(run for run in counted if run.id not in explained)


def _counts(run: Execution, intent: Intent) -> bool:
    return intent.since is None or run.created_at >= intent.since


def _stray(configuration: DesiredConfiguration, run: Execution) -> Finding:
    return Finding(
        configuration.address,
        run.id,
        DriftKind.EXECUTION_STRAY,
        f"{run.id} of {run.configuration_name} is {run.status}, created {run.created_at.isoformat()}",
        "no more runs than a spec asked for",
        "Stop it in AI Core if it still runs; to want it, raise `want` in the spec.",
    )


def intents_of(executions: Iterable[ResolvedExecution]) -> dict[str, set[Intent]]:
    """What some specs ask for, by address of the configuration."""
    found: dict[str, set[Intent]] = {}
    for one in executions:
        timeout = timedelta(seconds=one.timeout_seconds) if one.timeout_seconds else None
        address = f"configuration/{one.scenario}/{one.configuration}"
        found.setdefault(address, set()).add(Intent(one.want, one.rerun_after, timeout))
    return found


def _deleted(desired: Desired, live: Live) -> Iterator[Finding]:
    """Runs that are gone, where what they wrote still names them. One of a configuration that no spec wants
    may have been pruned.
    """
    known = {run.id for run in live.executions}
    wanted = {one.configuration.full_name for one in desired.executions}
    for run, outputs in sorted(live.outputs_by_execution.items()):
        scenarios = sorted({output.scenario for output in outputs} & set(desired.scenarios))
        if not run or run in known or not scenarios:
            continue
        if all(_retired(output, wanted, live) for output in outputs):
            continue
        names = ", ".join(sorted({output.name for output in outputs}))
        yield Finding(
            f"execution/{scenarios[0]}",
            run,
            DriftKind.EXECUTION_DELETED,
            f"AI Core has no execution {run} any more; what it wrote is still registered: {names}",
            "the execution, which says what the artifact was made from",
            "Nothing brings it back, nor its logs. Name it in drift-ignore.yaml, with the reason.",
        )


def _retired(output: Artifact, wanted: Collection[str], live: Live) -> bool:
    configuration = live.configurations_by_id.get(output.configuration or "")
    return (
        configuration is not None and own_name(configuration) is not None and configuration.name not in wanted
    )


def server_findings(desired: Desired, live: Live) -> Iterator[Finding]:
    """Model servers: corespec stops and deletes none, and starts one for each deployment."""
    for wanted in desired.deployments:
        if wanted.observed:
            continue
        servers = own_servers(wanted, live)
        living = [server for server in servers if not server.ended and server.status != "DEAD"]
        for server in living[1:]:
            yield _server(
                wanted,
                server,
                DriftKind.DEPLOYMENT_STRAY,
                f"one server: {living[0].id} is older",
                "Stop it in AI Core, or the older one; until then nothing is promoted.",
            )
        if living or wanted.ttl or not servers or not servers[-1].ended:
            continue
        yield _server(
            wanted,
            servers[-1],
            DriftKind.DEPLOYMENT_STOPPED,
            "a server that nobody stops",
            "The next apply starts another, at another URL; to have none, suspend or remove it in the spec.",
        )


def _server(
    wanted: DesiredDeployment, server: Deployment, kind: DriftKind, should: str, remedy: str
) -> Finding:
    found = f"{server.id} of {server.configuration_name} is {_state(server.status, server.target_status)}"
    return Finding(wanted.address, server.id, kind, found, should, remedy)
