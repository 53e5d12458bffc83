"""What AI Core shall hold, derived from the resolved specs, the rendered templates and the datasets' content.

Pure: the same input gives the same value on any machine. Credentials do not enter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import yaml

from generator.catalog import Workflow
from generator.fingerprint import configuration_fingerprint, template_fingerprint
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
from generator.spec.runs import BestOf, Suspend
from reconciler.dataset import DatasetManifest
from reconciler.health import RunBudget

#: Artifact labels by which a dataset is recognised; AI Core demands this prefix.
DATASET_LABEL = "ext.ai.sap.com/corespec.dataset"
FINGERPRINT_LABEL = "ext.ai.sap.com/corespec.fingerprint"
#: Hex digits of a fingerprint that go into names and paths.
SHORT = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Onboarding:
    """Objects of the AI Core tenant that the environment declares. What it declares is ours to change."""

    resource_group: str
    repository: str
    repository_url: str
    application: str
    path: str
    branch: str
    group_labels: Mapping[str, str] = field(default_factory=dict)
    #: name -> what AI Core shows of it, under AI Core's own keys (`store_fields`)
    object_store_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    docker_secret: str | None = None
    secrets: Mapping[str, bool] = field(default_factory=dict)  #: generic secret -> for the whole tenant
    git_credentials: bool = False  #: whether the repository has a user name and a password

    @property
    def valued(self) -> tuple[str, ...]:
        """Addresses of the objects that hold write-only values."""
        docker = [f"docker-secret/{self.docker_secret}"] if self.docker_secret else []
        return (
            *(f"object-store-secret/{name}" for name in self.object_store_secrets),
            *docker,
            *(f"secret/{name}" for name in self.secrets),
            *([f"repository/{self.repository}"] if self.git_credentials else []),
        )


@dataclass(frozen=True, slots=True)
class DesiredTemplate:
    """A template that AI Core must have synced before its configurations can exist."""

    address: str
    scenario: str
    executable: str
    path: str  #: in the GitOps repository
    content: bytes = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DesiredDataset:
    address: str
    scenario: str
    name: str
    kind: str
    description: str
    store: str
    prefix: str  #: `<path>/<fingerprint12>` in the store
    fingerprint: str
    files: int
    bytes: int

    @property
    def url(self) -> str:
        return f"ai://{self.store}/{self.prefix}"

    @property
    def labels(self) -> dict[str, str]:
        return {DATASET_LABEL: self.name, FINGERPRINT_LABEL: self.fingerprint}


@dataclass(frozen=True, slots=True)
class DesiredArtifact:
    """An artifact that AI Core has already, by its id or its URL; whatever it holds, it is that one."""

    address: str
    scenario: str
    name: str
    kind: str
    id: str = ""
    url: str = ""  #: empty where the id says it

    @property
    def fingerprint(self) -> str:
        """Artifacts never change: the reference is the content's identity."""
        return f"artifact/{self.id}" if self.id else self.url


@dataclass(frozen=True, slots=True)
class Adopted:
    """What AI Core had before the specs. `id`: of a configuration, or of a deployment that served
    `configuration`; it stands for the first 12 digits of a fingerprint, `content`. With `observe` nothing is
    ever created, changed or stopped for it."""

    id: str
    content: str = ""
    observe: bool = False
    configuration: str = ""


@dataclass(frozen=True, slots=True)
class DesiredOutput:
    """An output artifact of another execution. Which run of it counts is known once one has completed: then
    `bindings.bind` fills in the ids of the run and of its artifact."""

    execution: str  #: address
    output: str
    run: str = ""
    artifact: str = ""

    @property
    def fingerprint(self) -> str:
        """Two runs of the same training give two models: the run is the content's identity."""
        return output_identity(self.run, self.output)


def output_identity(run: str, output: str) -> str:
    """Stands for the content of an output artifact: the id of the execution that made it, and its name."""
    return f"{run}/{output}"


Input = DesiredDataset | DesiredArtifact | DesiredOutput
#: By scenario and name, what an input may be bound to.
Data = Mapping[tuple[str, str], DesiredDataset | DesiredArtifact]


@dataclass(frozen=True, slots=True)
class DesiredConfiguration:
    address: str
    scenario: str
    executable: str
    name: str  #: as the spec says
    full_name: str  #: `<name>--<fingerprint12>`, as AI Core shows it; empty while it waits for an output
    parameters: Mapping[str, str]
    inputs: Mapping[str, Input]  #: by input port
    adopted: Adopted | None = None

    @property
    def observed(self) -> bool:
        """Whether it is only looked at."""
        return self.adopted is not None and self.adopted.observe

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Addresses of the executions whose outputs are not there yet; then `full_name` means nothing."""
        outputs = (item for item in self.inputs.values() if isinstance(item, DesiredOutput))
        return tuple(sorted({item.execution for item in outputs if not item.artifact}))


@dataclass(frozen=True, slots=True)
class DesiredBest:
    """The best model that some executions have made."""

    #: address of an execution, and the output that is its model; "" is its only model, whatever its name
    candidates: tuple[tuple[str, str], ...]
    of: tuple[str, ...]  #: executions, as the spec names them
    metric: str
    at_least: float | None = None  #: at most, for a metric of which less is better


@dataclass(frozen=True, slots=True)
class DesiredDeployment:
    """A model server. Which model it serves is decided by `promotion.promotions`."""

    address: str
    scenario: str
    name: str
    executable: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: by input port
    inputs: Mapping[str, DesiredDataset | DesiredArtifact | DesiredBest] = field(default_factory=dict)
    ttl: str | None = None  #: as the AI API writes it: `10m`, `12h`, `7d`
    suspend: Suspend | None = None
    protect: bool = False  #: its server is never stopped or deleted
    adopted: Adopted | None = None

    @property
    def observed(self) -> bool:
        """Whether it is only looked at."""
        return self.adopted is not None and self.adopted.observe


@dataclass(frozen=True, slots=True)
class DesiredExecution:
    address: str
    group: str  #: the spec's entry, to which maxParallel applies
    configuration: DesiredConfiguration
    budget: RunBudget
    max_parallel: int | None
    depends_on: tuple[str, ...] = ()  #: addresses of executions that must have completed first
    suspend: Suspend | None = None
    protect: bool = False  #: its runs are never stopped or deleted
    on_gpu: bool = False  #: whether its machine has a GPU, whose hours are limited


@dataclass(frozen=True, slots=True)
class Desired:
    environment: str
    onboarding: Onboarding
    templates: tuple[DesiredTemplate, ...]
    datasets: tuple[DesiredDataset, ...]
    configurations: tuple[DesiredConfiguration, ...]
    executions: tuple[DesiredExecution, ...]
    deployments: tuple[DesiredDeployment, ...] = ()
    artifacts: tuple[DesiredArtifact, ...] = ()

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Scenario ids that must be read to compare, sorted."""
        parts = (self.templates, self.datasets, self.configurations, self.deployments, self.artifacts)
        return tuple(sorted({item.scenario for part in parts for item in part}))

    def ordered(self) -> Desired:
        """The same with everything in the order of its address."""
        return replace(
            self,
            templates=_sorted(self.templates),
            datasets=_sorted(self.datasets),
            configurations=_sorted(self.configurations),
            executions=_sorted(self.executions),
            deployments=_sorted(self.deployments),
            artifacts=_sorted(self.artifacts),
        )

    def without(self, executables: Collection[str]) -> Desired:
        """The same without what depends on the templates of these executables; datasets stay."""
        return replace(
            self,
            templates=tuple(t for t in self.templates if t.executable not in executables),
            configurations=tuple(c for c in self.configurations if c.executable not in executables),
            executions=tuple(e for e in self.executions if e.configuration.executable not in executables),
            deployments=tuple(d for d in self.deployments if d.executable not in executables),
        )


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


class _Addressed(Protocol):
    @property
    def address(self) -> str: ...


A = TypeVar("A", bound=_Addressed)


def _sorted(items: Iterable[A]) -> tuple[A, ...]:
    return tuple(sorted(items, key=lambda item: item.address))


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


def full_name(
    name: str,
    executable: str,
    template: str,
    parameters: Mapping[str, str],
    inputs: Mapping[str, Input],
) -> str:
    """The name in AI Core of the configuration that runs exactly this; `template`: its fingerprint."""
    fingerprint = configuration_fingerprint(
        executable=executable,
        template=template,
        parameters=parameters,
        inputs={port: item.fingerprint for port, item in inputs.items()},
    )
    return f"{name}--{fingerprint[:SHORT]}"


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
