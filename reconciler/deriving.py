"""What AI Core shall hold, derived from the resolved specs, the rendered templates and the datasets' content.

Pure: the same input gives the same value on any machine. Credentials do not enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import yaml

from generator.catalog import Workflow
from generator.fingerprint import template_fingerprint
from generator.render import template_path
from generator.spec.environment import Environment
from generator.spec.resolve import (
    Resolved,
    ResolvedArtifact,
    ResolvedConfiguration,
    ResolvedDataset,
    ResolvedDeployment,
    ResolvedExecution,
)
from generator.spec.runs import BestOf
from reconciler.dataset import DatasetManifest
from reconciler.desired import (
    SHORT,
    Adopted,
    Desired,
    DesiredArtifact,
    DesiredBest,
    DesiredConfiguration,
    DesiredDataset,
    DesiredDeployment,
    DesiredExecution,
    DesiredOutput,
    DesiredTemplate,
    Input,
    Onboarding,
    full_name,
)
from reconciler.health import RunBudget

__all__ = ["desired"]

#: By scenario and name, what an input may be bound to.
Data = Mapping[tuple[str, str], DesiredDataset | DesiredArtifact]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def desired(
    resolved: Resolved,
    rendered: Mapping[str, bytes],
    datasets: Mapping[str, DatasetManifest],
    repository_url: str | None = None,
    stores: Mapping[str, Mapping[str, str]] | None = None,
) -> Desired:
    """Bring specs, templates and data together.

    `datasets` is keyed `<scenario>/<dataset>`. `repository_url`: the environment's git.url with its `${…}`
    resolved and relative paths made absolute, as AI Core shall see it. `stores`: what AI Core shall show of
    the object stores that are registered there, by name.
    """
    environment = resolved.environment
    templates = {
        executable.id: _template(
            environment.metadata.name, executable.scenario.metadata.name, executable.id, rendered
        )
        for executable in resolved.executables
    }
    sets = {
        (item.scenario, item.name): _dataset(item, datasets[f"{item.scenario}/{item.name}"])
        for item in resolved.datasets
    }
    known = {(item.scenario, item.name): _artifact(item) for item in resolved.artifacts}
    data: Data = {**known, **sets}
    made_with = {name: template_fingerprint(template.document) for name, template in templates.items()}
    configurations = {
        (item.scenario, item.name): _configuration(item, made_with.get(item.executable), data)
        for item in resolved.configurations
    }
    gpus = {executable.id for executable in resolved.executables if executable.spec.uses_gpu}
    executions = [
        _execution(item, wanted, wanted.executable in gpus)
        for item in resolved.executions
        for wanted in [configurations[item.scenario, item.configuration]]
    ]
    return Desired(
        environment=environment.metadata.name,
        onboarding=_onboarding(environment, repository_url or str(environment.git.url), stores or {}),
        templates=tuple(templates.values()),
        datasets=tuple(sets.values()),
        configurations=tuple(configurations.values()),
        executions=tuple(executions),
        deployments=tuple(_deployment(item, resolved, data) for item in resolved.deployments),
        artifacts=tuple(known.values()),
    ).ordered()


def _onboarding(
    environment: Environment, repository_url: str, stores: Mapping[str, Mapping[str, str]]
) -> Onboarding:
    git = environment.git
    docker = environment.docker
    return Onboarding(
        resource_group=environment.resource_group,
        repository=git.repository,
        repository_url=repository_url,
        application=git.application,
        path=git.path,
        branch=git.branch,
        group_labels=dict(sorted(environment.resource_group_labels.items())),
        object_store_secrets=dict(sorted(stores.items())),
        docker_secret=docker.secret if docker and docker.username else None,
        secrets={name: secret.tenant_wide for name, secret in sorted(environment.secrets.items())},
        git_credentials=git.username is not None,
    )


def _template(
    environment: str, scenario: str, executable: str, rendered: Mapping[str, bytes]
) -> DesiredTemplate:
    path = template_path(environment, executable)
    return DesiredTemplate(
        address=f"template/{executable}",
        scenario=scenario,
        executable=executable,
        path=path,
        content=rendered[path],
        document=yaml.load(rendered[path], Loader=_LOADER),  # noqa: S506 - a safe loader
    )


def _dataset(item: ResolvedDataset, manifest: DatasetManifest) -> DesiredDataset:
    spec = item.dataset
    return DesiredDataset(
        address=f"dataset/{item.scenario}/{item.name}",
        scenario=item.scenario,
        name=item.name,
        kind=spec.kind,
        description=spec.description or "",
        store=spec.object_store,
        prefix=f"{spec.path}/{manifest.fingerprint[:SHORT]}",
        fingerprint=manifest.fingerprint,
        files=len(manifest.files),
        bytes=manifest.bytes,
    )


def _artifact(item: ResolvedArtifact) -> DesiredArtifact:
    spec = item.artifact
    address = f"artifact/{item.scenario}/{item.name}"
    return DesiredArtifact(address, item.scenario, item.name, spec.kind, spec.id or "", spec.url or "")


def _configuration(item: ResolvedConfiguration, template: str | None, data: Data) -> DesiredConfiguration:
    """`template`: its fingerprint; None where the specs have none."""
    inputs: dict[str, Input] = {port: data[item.scenario, name] for port, name in item.inputs.items()}
    inputs |= {
        port: DesiredOutput(f"execution/{item.scenario}/{source.execution}", source.output)
        for port, source in item.outputs.items()
    }
    name = ""  # while it waits for an output; and of what others made, as long as it is only observed
    if template is not None and not item.outputs:
        name = full_name(item.name, item.executable, template, item.parameters, inputs)
    adopt = item.adopt
    return DesiredConfiguration(
        address=f"configuration/{item.scenario}/{item.name}",
        scenario=item.scenario,
        executable=item.executable,
        name=item.name,
        full_name=name,
        parameters=dict(item.parameters),
        inputs=inputs,
        adopted=Adopted(adopt.id, adopt.content or "", item.observe) if adopt else None,
    )


def _deployment(item: ResolvedDeployment, resolved: Resolved, data: Data) -> DesiredDeployment:
    inputs: dict[str, DesiredDataset | DesiredArtifact | DesiredBest] = {}
    adopt = item.adopt
    for port, source in item.inputs.items():
        if source.best is not None:
            inputs[port] = _best(source.best, port, item.scenario, resolved)
        elif source.dataset is not None:
            inputs[port] = data[item.scenario, source.dataset]
    return DesiredDeployment(
        address=f"deployment/{item.scenario}/{item.name}",
        scenario=item.scenario,
        name=item.name,
        executable=item.executable,
        parameters=dict(item.parameters),
        inputs=inputs,
        ttl=item.ttl,
        suspend=item.suspend,
        adopted=Adopted(adopt.id, adopt.content or "", item.observe, adopt.configuration or "")
        if adopt
        else None,
        protect=item.protect,
    )


def _best(best: BestOf, port: str, scenario: str, resolved: Resolved) -> DesiredBest:
    """`of` names executions of the spec, with all their children, or single children."""
    executables = {c.name: c.executable for c in resolved.configurations if c.scenario == scenario}
    workflows = {executable.id: executable.workflow for executable in resolved.executables}
    candidates = tuple(
        (
            f"execution/{scenario}/{run.name}",
            _model_output(workflows.get(executables[run.configuration]), port),
        )
        for run in resolved.executions
        if run.scenario == scenario and {run.name, run.group} & set(best.of)
    )
    limit = None if best.at_least is None else float(best.at_least)
    return DesiredBest(tuple(sorted(candidates)), best.of, best.metric, limit)


def _model_output(workflow: Workflow | None, port: str) -> str:
    """The only model that the workflow writes, else the output of the port's name; "" for an unknown one."""
    if workflow is None:
        return ""
    models = [name for name, output in workflow.outputs.items() if output.kind == "model"]
    return models[0] if len(models) == 1 else port


def _execution(
    item: ResolvedExecution, configuration: DesiredConfiguration, on_gpu: bool
) -> DesiredExecution:
    return DesiredExecution(
        address=f"execution/{item.scenario}/{item.name}",
        group=item.group,
        configuration=configuration,
        budget=RunBudget(
            want=item.want,
            retries=item.retries,
            rerun_after=_whole_second(item.rerun_after),
            timeout=_seconds(item.timeout_seconds),
            backoff=_seconds(item.backoff_seconds),
        ),
        max_parallel=item.max_parallel,
        depends_on=tuple(f"execution/{item.scenario}/{name}" for name in item.depends_on),
        suspend=item.suspend,
        protect=item.protect,
        on_gpu=on_gpu,
    )


def _whole_second(moment: datetime | None) -> datetime | None:
    """AI Core keeps `createdAt` to the second: a run must not seem to come before its own rerunAfter."""
    return moment and moment.replace(microsecond=0)


def _seconds(number: int | None) -> timedelta | None:
    return timedelta(seconds=number) if number else None
