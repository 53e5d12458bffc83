"""One reading of AI Core: few requests, side by side, and all of them or none.

A request that fails fails the reading: what could not be read is never taken for absent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from reconciler.aicore import AICore
from reconciler.bindings import bind
from reconciler.clock import Clock
from reconciler.desired import Desired
from reconciler.live import Application, ApplicationStatus, Live, Metrics
from reconciler.objectstore import ObjectStore, is_complete
from reconciler.plan import find_application
from reconciler.promotion import runs_to_measure
from reconciler.templates import GitReader, past_templates, template_states

_WORKERS = 8


def observe(
    aicore: AICore, desired: Desired, stores: Mapping[str, ObjectStore], git: GitReader, clock: Clock
) -> Live:
    """Read everything that `plan` compares with. Raises what the port and the stores raise."""
    now = clock.now()
    want = desired.onboarding
    with ThreadPoolExecutor(_WORKERS) as pool:
        groups = pool.submit(_resource_groups, aicore, want.resource_group)
        repositories = pool.submit(aicore.repositories)
        applications = pool.submit(_applications, aicore, desired)
        store_secrets = pool.submit(_if_asked, aicore.object_store_secrets, bool(want.object_store_secrets))
        docker_secrets = pool.submit(_if_asked, aicore.docker_secrets, want.docker_secret is not None)
        uploads = pool.submit(_uploads, desired, stores)
        # In a resource group that does not exist yet nothing can be, and nothing can be asked.
        scenarios = desired.scenarios if want.resource_group in groups.result() else ()
        artifacts = [pool.submit(aicore.artifacts, scenario) for scenario in scenarios]
        configurations = [pool.submit(aicore.configurations, scenario) for scenario in scenarios]
        executions = [pool.submit(aicore.executions, scenario) for scenario in scenarios]
        deployments = [pool.submit(aicore.deployments, scenario) for scenario in scenarios]
        found, status = applications.result()
        live = Live(
            observed_at=now,
            repositories=repositories.result(),
            applications=found,
            resource_groups=groups.result(),
            object_store_secrets=store_secrets.result(),
            docker_secrets=docker_secrets.result(),
            artifacts=tuple(a for part in artifacts for a in part.result()),
            configurations=tuple(c for part in configurations for c in part.result()),
            executions=tuple(e for part in executions for e in part.result()),
            deployments=tuple(d for part in deployments for d in part.result()),
            application_status=status,
            complete_uploads=uploads.result(),
            templates=template_states(desired.templates, status, git),
        )
    past = past_templates(desired, live, git)
    return dataclasses.replace(live, past_templates=past, metrics=_metrics(aicore, desired, live))


def _metrics(aicore: AICore, desired: Desired, live: Live) -> dict[str, Metrics]:
    """Of the runs among which deployments choose; a run that has tracked nothing gets an empty entry."""
    runs = runs_to_measure(bind(desired.ordered(), live), live)
    found = aicore.metrics(runs) if runs else {}
    return {run: found.get(run, Metrics(run)) for run in runs}


def _if_asked(read: Callable[[], frozenset[str]], asked: bool) -> frozenset[str]:
    return read() if asked else frozenset()


def _resource_groups(aicore: AICore, wanted: str) -> frozenset[str]:
    # `default` always exists, and a key without administration rights may not list the groups.
    return frozenset({wanted}) if wanted == "default" else aicore.resource_groups()


def _applications(
    aicore: AICore, desired: Desired
) -> tuple[tuple[Application, ...], ApplicationStatus | None]:
    applications = aicore.applications()
    ours = find_application(desired.onboarding, applications)
    return applications, aicore.application_status(ours.name) if ours else None


def _uploads(desired: Desired, stores: Mapping[str, ObjectStore]) -> frozenset[str]:
    return frozenset(
        f"{dataset.store}/{dataset.prefix}"
        for dataset in desired.datasets
        if is_complete(stores[dataset.store], dataset.prefix, dataset.fingerprint)
    )
