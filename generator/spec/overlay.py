"""A scenario as one environment wants it: overrides laid over, registry and pull secret filled in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from generator.catalog import Workflow
from generator.spec.document import Configuration, Scenario
from generator.spec.environment import Docker, Environment
from generator.spec.executable import Executable
from generator.spec.expand import checked_value
from generator.spec.findings import Findings
from generator.spec.model import SpecModel
from generator.spec.overrides import ConfigurationOverrides, ExecutableOverrides, ScenarioOverrides
from generator.spec.reader import Path
from generator.spec.runs import Execution
from generator.spec.types import is_bare
from generator.suggest import did_you_mean

Catalog = Mapping[str, Workflow] | None


def overlay(scenario: Scenario, environment: Environment, catalog: Catalog, findings: Findings) -> Scenario:
    """The scenario with the environment's overrides; `findings` are about the environment's file.

    An override that names nothing, or a value that does not fit, is noted and left out. Without a catalogue
    the values of parameters are not checked.
    """
    overrides = environment.overrides.get(scenario.metadata.name)
    if overrides is None:
        return scenario.model_copy(
            update={
                "executables": {
                    name: _placed(item, environment.docker) for name, item in scenario.executables.items()
                }
            }
        )
    where: Path = ("overrides", scenario.metadata.name)
    _unknown(overrides, scenario, where, findings)
    return scenario.model_copy(
        update={
            "executables": {
                name: _placed(_executable(item, overrides.executables.get(name)), environment.docker)
                for name, item in scenario.executables.items()
            },
            "configurations": {
                name: _configuration(
                    item,
                    overrides.configurations.get(name),
                    _workflow(scenario, item.executable, catalog),
                    (*where, "configurations", name, "parameters"),
                    findings,
                )
                for name, item in scenario.configurations.items()
            },
            "executions": {
                name: _execution(item, overrides.executions.get(name))
                for name, item in scenario.executions.items()
            },
        }
    )


def same_references(written: Scenario, placed: Scenario) -> bool:
    """Whether `overlay` has changed nothing but images and pull secrets, to which no reference leads."""
    return placed.configurations is written.configurations and placed.executions is written.executions


def unknown_scenarios(environment: Environment, scenarios: Iterable[str], findings: Findings) -> None:
    """Note overrides of scenarios that do not exist."""
    known = sorted(scenarios)
    for name in environment.overrides:
        if name not in known:
            message = f"there is no scenario `{name}`; {did_you_mean(name, known)}"
            findings.add(("overrides", name), "unknown-scenario", message, key=True)


def unplaced_images(scenario: Scenario, environment: Environment, findings: Findings) -> None:
    """Note images that are `name:tag` alone where no registry can be put before them; `findings` are about
    the scenario's file."""
    for name, item in scenario.executables.items():
        problem = _registry_problem(environment.docker) if is_bare(item.image) else None
        if problem:
            place = f"environment `{environment.metadata.name}` {problem}"
            message = f"`{item.image}` has no registry host, and {place}"
            findings.add(("executables", name, "image"), "no-registry", message)


def _registry_problem(docker: Docker | None) -> str | None:
    if docker is None:
        return "declares no `docker.registry`; declare it, or write the whole image"
    if "${" in str(docker.registry):
        return "takes its `docker.registry` from a variable; write the registry itself, or the whole image"
    return None


def _unknown(overrides: ScenarioOverrides, scenario: Scenario, where: Path, findings: Findings) -> None:
    sections: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
        ("executables", overrides.executables, scenario.executables),
        ("configurations", overrides.configurations, scenario.configurations),
        ("executions", overrides.executions, scenario.executions),
    )
    for section, named, declared in sections:
        known = sorted(declared)
        for name in named:
            if name not in known:
                message = f"scenario `{scenario.metadata.name}` has no {section[:-1]} `{name}`; "
                place = (*where, section, name)
                findings.add(place, f"unknown-{section[:-1]}", message + did_you_mean(name, known), key=True)


def _given(model: SpecModel) -> dict[str, object]:
    """Fields that the document sets, as models and values."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def _executable(item: Executable, overrides: ExecutableOverrides | None) -> Executable:
    if overrides is None:
        return item
    changes = _given(overrides)
    if overrides.resource_plan is not None:
        changes["instance_type"] = None
    if overrides.instance_type is not None:
        changes["resource_plan"] = None
    return item.model_copy(update=changes)


def _placed(item: Executable, docker: Docker | None) -> Executable:
    """With the whole image name, and the environment's secret where the image comes from its registry."""
    if docker is None or _registry_problem(docker):
        return item
    registry = str(docker.registry).rstrip("/")
    image = f"{registry}/{item.image}" if is_bare(item.image) else item.image
    ours = image.startswith(f"{registry}/")
    secret = item.image_pull_secret or (docker.secret if ours else None)
    return item.model_copy(update={"image": image, "image_pull_secret": secret})


def _workflow(scenario: Scenario, executable: str, catalog: Catalog) -> Workflow | None:
    spec = scenario.executables.get(executable)
    return catalog.get(spec.workflow) if spec and catalog is not None else None


def _configuration(
    item: Configuration,
    overrides: ConfigurationOverrides | None,
    workflow: Workflow | None,
    where: Path,
    findings: Findings,
) -> Configuration:
    if overrides is None:
        return item
    fitting = {
        key: value
        for key, value in overrides.parameters.items()
        if _fits(workflow, key, value, (*where, key), findings)
    }
    clashing = set(fitting) & set(item.matrix)
    for key in sorted(clashing):
        message = "is varied by the `matrix` of this configuration and cannot be overridden"
        findings.add((*where, key), "duplicate-parameter", message, key=True)
    kept = {key: value for key, value in fitting.items() if key not in clashing}
    return item.model_copy(update={"parameters": {**item.parameters, **kept}})


def _fits(workflow: Workflow | None, key: str, value: object, where: Path, findings: Findings) -> bool:
    return workflow is None or checked_value(workflow.parameters, key, value, where, findings) is not None


def _execution(item: Execution, overrides: object) -> Execution:
    return item.model_copy(update=_given(overrides)) if isinstance(overrides, SpecModel) else item
