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
from reconciler.desired import Desired, Onboarding
from reconciler.live import Application, ApplicationStatus, Live, Metrics
from reconciler.objectstore import ObjectStore, is_complete
from reconciler.onboarding import find_application, follows
from reconciler.postmortem import Verdicts, find_failures
from reconciler.promotion import runs_to_measure
from reconciler.templates import GitReader, past_templates, template_states

_WORKERS = 8
_Labels = Mapping[str, str]
_Labelled = Mapping[str, _Labels]


def observe(
    aicore: AICore,
    desired: Desired,
    stores: Mapping[str, ObjectStore],
    git: GitReader,
    clock: Clock,
    verdicts: Verdicts | None = None,
    fetch: Callable[[], None] | None = None,
) -> Live:
    """Read everything that `plan` compares with. Raises what the port, the stores and `fetch` raise.

    `verdicts`: what earlier looks have found in the logs of failed runs. `fetch` runs beside the requests,
    and has ended before the repository is read.
    """
    now = clock.now()
    want = desired.onboarding
    with ThreadPoolExecutor(_WORKERS) as pool:
        fetched = pool.submit(fetch) if fetch else None
        groups = pool.submit(_resource_groups, aicore, want.resource_group)
        repositories = pool.submit(aicore.repositories)
        applications = pool.submit(_applications, aicore, desired)
        docker_secrets = pool.submit(_if_asked, aicore.docker_secrets, want.docker_secret is not None)
        uploads = pool.submit(_uploads, desired, stores)
        # In a resource group that does not exist yet nothing can be, and nothing can be asked.
        grouped = want.resource_group in groups.result()
        scenarios = desired.scenarios if grouped else ()
        admin = pool.submit(_admin, aicore, want, grouped)
        artifacts = [pool.submit(aicore.artifacts, scenario) for scenario in scenarios]
        configurations = [pool.submit(aicore.configurations, scenario) for scenario in scenarios]
        executions = [pool.submit(aicore.executions, scenario) for scenario in scenarios]
        deployments = [pool.submit(aicore.deployments, scenario) for scenario in scenarios]
        found, status = applications.result()
        if fetched:
            fetched.result()
        labels, stores_shown, secrets = admin.result()
        live = Live(
            observed_at=now,
            repositories=repositories.result(),
            applications=found,
            resource_groups=groups.result(),
            group_labels=labels,
            object_store_secrets=stores_shown,
            secrets=secrets,
            docker_secrets=docker_secrets.result(),
            artifacts=tuple(a for part in artifacts for a in part.result()),
            configurations=tuple(c for part in configurations for c in part.result()),
            executions=tuple(e for part in executions for e in part.result()),
            deployments=tuple(d for part in deployments for d in part.result()),
            application_status=status,
            complete_uploads=uploads.result(),
            templates=template_states(desired.templates, _of_ours(want, found, status), git),
        )
    past = past_templates(desired, live, git)
    bound = bind(desired.ordered(), live)
    failures = find_failures(aicore, bound, live, verdicts or Verdicts())
    metrics = _metrics(aicore, bound, live)
    return dataclasses.replace(live, past_templates=past, metrics=metrics, failures=failures)


def _metrics(aicore: AICore, bound: Desired, live: Live) -> dict[str, Metrics]:
    """Of the runs among which deployments choose; a run that has tracked nothing gets an empty entry."""
    runs = runs_to_measure(bound, live)
    found = aicore.metrics(runs) if runs else {}
    return {run: found.get(run, Metrics(run)) for run in runs}


def _if_asked(read: Callable[[], frozenset[str]], asked: bool) -> frozenset[str]:
    return read() if asked else frozenset()


def _resource_groups(aicore: AICore, wanted: str) -> frozenset[str]:
    # `default` always exists, and a key without administration rights may not list the groups.
    return frozenset({wanted}) if wanted == "default" else aicore.resource_groups()


def _admin(aicore: AICore, want: Onboarding, grouped: bool) -> tuple[_Labels, _Labelled, _Labelled]:
    """Labels of the resource group, what is shown of its object stores, and the wanted generic secrets."""
    group = want.resource_group
    marked = [address for address in want.valued if not address.startswith("secret/")]
    labels = aicore.resource_group_labels(group) if grouped and (want.group_labels or marked) else {}
    stores = aicore.object_store_secrets() if grouped and want.object_store_secrets else {}
    scopes = {wide for wide in want.secrets.values() if wide or grouped}
    known = {wide: aicore.generic_secrets(tenant_wide=wide) for wide in sorted(scopes)}
    secrets = {name: known[wide][name] for name, wide in want.secrets.items() if name in known.get(wide, {})}
    return labels, stores, secrets


def _of_ours(
    want: Onboarding, applications: tuple[Application, ...], status: ApplicationStatus | None
) -> ApplicationStatus | None:
    """The status of the application where it follows what is wanted; of another folder it says nothing."""
    ours = find_application(want, applications)
    return status if ours and follows(want, ours) else None


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
