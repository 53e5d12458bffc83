"""Scenarios and an environment become everything that shall exist, with nothing left to look up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from generator.catalog import Workflow
from generator.errors import Diagnostic, InputError
from generator.spec.adopt import AdoptedConfiguration, AdoptedDeployment, KnownArtifact
from generator.spec.dependencies import depended_on, execution_children, split_output
from generator.spec.document import Dataset, OutputOf, Scenario
from generator.spec.environment import BaseImages, Environment
from generator.spec.executable import Executable
from generator.spec.expand import as_written
from generator.spec.findings import Findings
from generator.spec.link import Linker
from generator.spec.overlay import overlay, same_references, unknown_scenarios, unplaced_images
from generator.spec.parameters import canonical
from generator.spec.reader import Path, Positions
from generator.spec.runs import DeploymentInput, Suspend
from generator.spec.types import IMAGE
from generator.suggest import did_you_mean

if TYPE_CHECKING:
    from generator.project import Project

__all__ = [
    "Resolved",
    "ResolvedConfiguration",
    "ResolvedDataset",
    "ResolvedExecutable",
    "ResolvedExecution",
    "resolve",
]


@dataclass(frozen=True)
class ResolvedExecutable:
    """An executable with its workflow, as its environment wants it; `source` is the spec file, relative to
    the project root.

    `image` is what runs: with the digest that `images.lock.yaml` has for it. `image_reference` is the same
    without that digest: what is built and pushed. `base_image` is what it is built on.
    """

    scenario: Scenario
    id: str
    spec: Executable
    workflow: Workflow
    source: str
    image: str
    image_reference: str
    base_image: str


@dataclass(frozen=True)
class ResolvedDataset:
    """A dataset of a scenario (by scenario id)."""

    scenario: str
    name: str
    dataset: Dataset


@dataclass(frozen=True)
class ResolvedArtifact:
    """An artifact of a scenario (by scenario id) that AI Core has already."""

    scenario: str
    name: str
    artifact: KnownArtifact


@dataclass(frozen=True)
class OutputReference:
    """An output artifact of a resolved execution of the same scenario."""

    execution: str
    output: str


@dataclass(frozen=True)
class ResolvedConfiguration:
    """A configuration, or a child of one: all parameters as canonical strings, inputs as port -> dataset
    or artifact name, and `outputs` as port -> output of another execution.

    With `observe` its executable may be none of the resolved ones; its parameters are as written then."""

    scenario: str
    name: str
    executable: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, OutputReference] = field(default_factory=dict)
    adopt: AdoptedConfiguration | None = None
    observe: bool = False


@dataclass(frozen=True)
class ResolvedExecution:
    """Runs wanted of one resolved configuration.

    An execution of a family becomes one for each child, all with the same `group` (the name in the spec),
    which is what `max_parallel` counts. `depends_on` names resolved executions of the scenario that must have
    completed first, those of `from:` inputs included.
    """

    scenario: str
    name: str
    configuration: str
    want: int
    retries: int
    timeout_seconds: int | None
    rerun_after: datetime | None
    max_parallel: int | None
    group: str
    backoff_seconds: int | None = None
    depends_on: tuple[str, ...] = ()
    suspend: Suspend | None = None
    protect: bool = False


@dataclass(frozen=True)
class ResolvedDeployment:
    """A model server with all its parameters as canonical strings."""

    scenario: str
    name: str
    executable: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, DeploymentInput]
    ttl: str | None
    suspend: Suspend | None
    adopt: AdoptedDeployment | None = None
    observe: bool = False
    protect: bool = False


@dataclass(frozen=True)
class Resolved:
    """Everything that shall exist in one environment, in an order that no spelling of the specs changes."""

    environment: Environment
    scenarios: tuple[Scenario, ...]
    executables: tuple[ResolvedExecutable, ...]
    datasets: tuple[ResolvedDataset, ...]
    configurations: tuple[ResolvedConfiguration, ...]
    executions: tuple[ResolvedExecution, ...]
    deployments: tuple[ResolvedDeployment, ...] = ()
    artifacts: tuple[ResolvedArtifact, ...] = ()


def resolve(project: Project, environment: str, catalog: Mapping[str, Workflow]) -> Resolved:
    """Resolve a project for one environment: its overrides laid over the scenarios, its registry put before
    images, locked digests behind them.

    Raises InputError with every finding: dangling references, parameters the workflow does not take, object
    stores the environment does not have, overrides of nothing, an unknown environment.
    """
    place = project.environments.get(environment)
    if place is None:
        message = (
            f"there is no environment `{environment}`; {did_you_mean(environment, project.environments)}"
        )
        raise InputError([Diagnostic("specs/environments", 1, 1, "unknown-environment", message)])
    own = environment_findings(project, environment)
    unknown_scenarios(place, (scenario.metadata.name for scenario in project.scenarios), own)
    linkers: dict[str, Linker] = {}
    for written in project.scenarios:
        linker = _linked(project, written, overlay(written, place, catalog, own), catalog)
        unplaced_images(written, place, linker.findings)
        linker.findings.items += missing_stores(written, linker.findings, place)
        linkers[written.metadata.name] = linker
    diagnostics = [*own.items, *(item for linker in linkers.values() for item in linker.findings.items)]
    if diagnostics:
        raise InputError(diagnostics)
    ordered = [linkers[name] for name in sorted(linkers)]
    return Resolved(
        environment=place,
        scenarios=tuple(linker.scenario for linker in ordered),
        executables=tuple(item for linker in ordered for item in _executables(linker, place, project.locks)),
        datasets=tuple(item for linker in ordered for item in _datasets(linker.scenario)),
        configurations=tuple(item for linker in ordered for item in _configurations(linker)),
        executions=tuple(item for linker in ordered for item in _executions(linker)),
        deployments=tuple(item for linker in ordered for item in _deployments(linker)),
        artifacts=tuple(
            ResolvedArtifact(linker.scenario.metadata.name, name, item)
            for linker in ordered
            for name, item in sorted(linker.scenario.artifacts.items())
        ),
    )


def environment_findings(project: Project, environment: str) -> Findings:
    """An empty list of findings about an environment's file."""
    path = project.sources.get(f"environments/{environment}", "specs/environments")
    return Findings(path, project.positions.get(path, Positions()))


def _linked(project: Project, written: Scenario, placed: Scenario, catalog: Mapping[str, Workflow]) -> Linker:
    """The references of a scenario as an environment wants it; those that `load_project` has checked against
    the same catalogue are not checked again where the environment has left them as they were written.
    """
    name = written.metadata.name
    path = project.sources.get(name, "specs")
    linker = Linker(placed, Findings(path, project.positions.get(path, Positions())), catalog)
    if project.catalog is catalog and name in project.linked and same_references(written, placed):
        linker.members = dict(project.linked[name])
    else:
        linker.run()
    return linker


def missing_stores(scenario: Scenario, findings: Findings, environment: Environment) -> list[Diagnostic]:
    """Datasets whose object store the environment does not have."""
    own = Findings(findings.path, findings.positions)
    for name, dataset in scenario.datasets.items():
        if dataset.object_store not in environment.object_stores:
            where: Path = ("datasets", name, "objectStore")
            message = (
                f"environment `{environment.metadata.name}` has no object store `{dataset.object_store}`; "
            )
            own.add(
                where,
                "unknown-object-store",
                message + did_you_mean(dataset.object_store, environment.object_stores),
            )
    return own.items


def _executables(
    linker: Linker, environment: Environment, locks: Mapping[str, str]
) -> list[ResolvedExecutable]:
    found = (
        (name, spec, linker.workflow_of(name)) for name, spec in sorted(linker.scenario.executables.items())
    )
    bases = environment.docker.bases if environment.docker else BaseImages()
    return [
        ResolvedExecutable(
            scenario=linker.scenario,
            id=name,
            spec=spec,
            workflow=workflow,
            source=linker.findings.path,
            image=_locked(spec.image, locks),
            image_reference=_without_digest(spec.image),
            base_image=bases.gpu if spec.uses_gpu else bases.cpu,
        )
        for name, spec, workflow in found
        if workflow
    ]


def _locked(image: str, locks: Mapping[str, str]) -> str:
    """The image with its digest; one that the spec itself names goes before the lock's."""
    return f"{image}@{locks[image]}" if image in locks else image


def _without_digest(image: str) -> str:
    """`host/name:tag`; an image that is pinned by its digest alone stays as it is."""
    match = IMAGE.fullmatch(image)
    return image.partition("@")[0] if match and match["tag"] else image


def _datasets(scenario: Scenario) -> list[ResolvedDataset]:
    return [
        ResolvedDataset(scenario.metadata.name, name, item)
        for name, item in sorted(scenario.datasets.items())
    ]


def _configurations(linker: Linker) -> list[ResolvedConfiguration]:
    result = []
    for name, members in linker.members.items():
        spec = linker.scenario.configurations[name]
        bound = sorted(spec.inputs.items())
        inputs = {port: item for port, item in bound if isinstance(item, str)}
        outputs = {
            port: OutputReference(*split_output(item.from_))
            for port, item in bound
            if isinstance(item, OutputOf)
        }
        for child in members:
            parameters = dict(sorted(child.values.items()))
            result.append(
                ResolvedConfiguration(
                    linker.scenario.metadata.name,
                    child.address,
                    spec.executable,
                    parameters,
                    inputs,
                    outputs,
                    spec.adopt,
                    spec.observe,
                )
            )
    return sorted(result, key=lambda item: item.name)


def _executions(linker: Linker) -> list[ResolvedExecution]:
    result = []
    for group, spec in linker.scenario.executions.items():
        depends_on = depended_on(linker.scenario, linker.members, group)
        for name, address in execution_children(linker.scenario, linker.members, group):
            result.append(
                ResolvedExecution(
                    scenario=linker.scenario.metadata.name,
                    name=name,
                    configuration=address,
                    want=spec.want,
                    retries=spec.retries,
                    timeout_seconds=spec.timeout,
                    rerun_after=spec.rerun_after,
                    max_parallel=spec.max_parallel,
                    group=group,
                    backoff_seconds=spec.backoff,
                    depends_on=depends_on,
                    suspend=spec.suspend,
                    protect=spec.protect,
                )
            )
    return sorted(result, key=lambda item: item.name)


def _deployments(linker: Linker) -> list[ResolvedDeployment]:
    result = []
    for name, spec in sorted(linker.scenario.deployments.items()):
        workflow = linker.workflow_of(spec.executable)
        values = as_written(spec.parameters)
        if workflow:
            values = {
                key: canonical(parameter, spec.parameters.get(key, parameter.default))
                for key, parameter in sorted(workflow.parameters.items())
            }
        result.append(
            ResolvedDeployment(
                scenario=linker.scenario.metadata.name,
                name=name,
                executable=spec.executable,
                parameters=values,
                inputs=dict(sorted(spec.inputs.items())),
                ttl=spec.ttl,
                suspend=spec.suspend,
                adopt=spec.adopt,
                observe=spec.observe,
                protect=spec.protect,
            )
        )
    return result
