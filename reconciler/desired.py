"""What AI Core shall hold, as values: `reconciler.deriving` makes them of specs, templates and data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from generator.fingerprint import configuration_fingerprint
from generator.spec.runs import Suspend
from reconciler.health import RunBudget

#: Artifact labels by which a dataset is recognised; AI Core demands this prefix.
DATASET_LABEL = "ext.ai.sap.com/corespec.dataset"
FINGERPRINT_LABEL = "ext.ai.sap.com/corespec.fingerprint"
#: Hex digits of a fingerprint that go into names and paths.
SHORT = 12


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


class _Addressed(Protocol):
    @property
    def address(self) -> str: ...


A = TypeVar("A", bound=_Addressed)


def _sorted(items: Iterable[A]) -> tuple[A, ...]:
    return tuple(sorted(items, key=lambda item: item.address))


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
