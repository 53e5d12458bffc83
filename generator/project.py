"""A user's project folder: `specs/*.yaml` are scenarios, `specs/environments/*.yaml` are environments, and
`images.lock.yaml` holds the digests of images.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from generator.catalog import Workflow, load_catalog
from generator.errors import Diagnostic, InputError
from generator.spec.dependencies import Members
from generator.spec.document import Scenario
from generator.spec.environment import Environment, S3Store
from generator.spec.findings import Findings
from generator.spec.link import Linker
from generator.spec.locks import LOCK_PATH, ImageLock
from generator.spec.operations import S3Lock
from generator.spec.overlay import overlay, unknown_scenarios, unplaced_images
from generator.spec.parse import Parsed, parse
from generator.spec.reader import MAX_BYTES, Positions, read
from generator.spec.resolve import missing_stores
from generator.suggest import did_you_mean

__all__ = ["Project", "load_project", "project_catalog"]

Model = TypeVar("Model", bound=BaseModel)
CATALOG_VARIABLE = "CORESPEC_CATALOG"


@dataclass(frozen=True)
class Project:
    """All specs of a project.

    `sources` maps a scenario's name to its file, and `environments/<name>` to an environment's; paths are
    relative to `root` with `/` between their parts. `positions` maps a file to the places of its values, for
    diagnostics. `locks` maps `host/name:tag` of an image to its digest. `linked` maps a scenario's name to
    what checking its references against `catalog` has found out.
    """

    root: Path
    scenarios: tuple[Scenario, ...]
    environments: Mapping[str, Environment]
    sources: Mapping[str, str]
    positions: Mapping[str, Positions] = field(default_factory=dict, repr=False, compare=False)
    locks: Mapping[str, str] = field(default_factory=dict)
    catalog: Mapping[str, Workflow] | None = field(default=None, repr=False, compare=False)
    linked: Mapping[str, Members] = field(default_factory=dict, repr=False, compare=False)


def project_catalog(root: Path, extra: Sequence[Path] = ()) -> Mapping[str, Workflow]:
    """The workflows that a project may use: the built-in ones and those in its `catalog_folders`.

    Raises InputError for a folder that is no catalogue, and for a name that comes up twice.
    """
    return load_catalog([*{path.resolve(): path for path in catalog_folders(root, extra)}.values()])


def catalog_folders(root: Path, extra: Sequence[Path] = ()) -> list[Path]:
    """Catalogues that a project names: the `extra` folders, those of the variable CORESPEC_CATALOG (separated
    like those of PATH) and the `catalog` folders of its environments; one folder may come up twice.

    An environment that cannot be read is left to `load_project`, which reports it.
    """
    named = [Path(item) for item in os.environ.get(CATALOG_VARIABLE, "").split(os.pathsep) if item]
    declared = (parsed.salvaged for parsed in _parse_folder(root, "specs/environments", Environment))
    own = [root / folder for environment in declared if environment for folder in environment.catalog]
    return [*extra, *named, *own]


def load_project(root: Path, catalog: Mapping[str, Workflow] | None = None) -> Project:
    """Read and check every spec of a project.

    With a `catalog`, parameters, inputs and workflows are checked as well, so that one run reports
    everything; without it, `resolve` checks them. Raises InputError with the findings of all files.
    """
    scenarios = _parse_folder(root, "specs", Scenario)
    environments = _parse_folder(root, "specs/environments", Environment)
    diagnostics = [item for parsed in scenarios for item in parsed.diagnostics]
    diagnostics += [item for place in environments for item in place.diagnostics]
    diagnostics += _absent(scenarios, environments)
    places = {parsed.salvaged.metadata.name: parsed.salvaged for parsed in environments if parsed.salvaged}
    linked: dict[str, Members] = {}
    for parsed in scenarios:
        diagnostics += _cross_check(parsed, catalog, places, linked)
    for place in environments:
        diagnostics += _overrides(place, scenarios, catalog)
        diagnostics += _lock(place)
    diagnostics += _duplicates(scenarios, environments)
    locks = _parse_file(root, root / LOCK_PATH, ImageLock) if (root / LOCK_PATH).exists() else None
    diagnostics += locks.diagnostics if locks else ()
    if diagnostics:
        raise InputError(diagnostics)
    models = sorted(
        (parsed.model for parsed in scenarios if parsed.model), key=lambda item: item.metadata.name
    )
    sources = {parsed.model.metadata.name: parsed.source.path for parsed in scenarios if parsed.model}
    sources |= {
        f"environments/{item.model.metadata.name}": item.source.path for item in environments if item.model
    }
    positions = {parsed.source.path: parsed.source.positions for parsed in scenarios}
    positions |= {place.source.path: place.source.positions for place in environments}
    digests = dict(locks.model.images) if locks and locks.model else {}
    return Project(
        root, tuple(models), dict(sorted(places.items())), sources, positions, digests, catalog, linked
    )


def _parse_folder(root: Path, folder: str, model: type[Model]) -> list[Parsed[Model]]:
    paths = sorted(path for suffix in ("*.yaml", "*.yml") for path in (root / folder).glob(suffix))
    return [_parse_file(root, path, model) for path in paths if not path.name.startswith(".")]


def _parse_file(root: Path, path: Path, model: type[Model]) -> Parsed[Model]:
    name = path.relative_to(root).as_posix()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        source = read(name, b"")
        unreadable = Diagnostic(name, 1, 1, "unreadable", f"cannot be read: {error.strerror}")
        return Parsed(source, None, None, frozenset(), (unreadable,))
    return parse(read(name, content), model)


def _absent(scenarios: list[Parsed[Scenario]], environments: list[Parsed[Environment]]) -> list[Diagnostic]:
    result = []
    if not scenarios:
        message = "there is no scenario here; is this the project folder? `corespec init` writes a first one"
        result.append(Diagnostic("specs", 1, 1, "no-specs", message))
    if not environments:
        message = "there is no environment here; `corespec init` writes `local.yaml`"
        result.append(Diagnostic("specs/environments", 1, 1, "no-specs", message))
    return result


def _cross_check(
    parsed: Parsed[Scenario],
    catalog: Mapping[str, Workflow] | None,
    environments: Mapping[str, Environment],
    linked: dict[str, Members],
) -> list[Diagnostic]:
    if parsed.salvaged is None:
        return []
    findings = Findings(parsed.source.path, parsed.source.positions)
    linker = Linker(parsed.salvaged, findings, catalog, parsed.broken)
    linker.run()
    linked[parsed.salvaged.metadata.name] = linker.members
    for environment in environments.values():
        findings.items += missing_stores(parsed.salvaged, findings, environment)
        unplaced_images(parsed.salvaged, environment, findings)
    return findings.items


def _overrides(
    place: Parsed[Environment], scenarios: list[Parsed[Scenario]], catalog: Mapping[str, Workflow] | None
) -> list[Diagnostic]:
    """Overrides that name nothing, or whose values do not fit. A scenario with faults of its own is left out:
    what it lacks may be what could not be read."""
    findings = Findings(place.source.path, place.source.positions)
    if place.salvaged is None:
        return []
    if all(parsed.salvaged for parsed in scenarios):
        known = (parsed.salvaged.metadata.name for parsed in scenarios if parsed.salvaged)
        unknown_scenarios(place.salvaged, known, findings)
    for parsed in scenarios:
        if parsed.model:
            overlay(parsed.model, place.salvaged, catalog, findings)
    return findings.items


def _lock(place: Parsed[Environment]) -> list[Diagnostic]:
    """A lock in an object store that the environment does not have, or that cannot hold one."""
    findings = Findings(place.source.path, place.source.positions)
    if place.salvaged and isinstance(place.salvaged.lock, S3Lock):
        name, stores = place.salvaged.lock.object_store, place.salvaged.object_stores
        fit = [known for known, store in stores.items() if isinstance(store, S3Store)]
        if name not in stores:
            message = f"there is no object store `{name}` of type `s3`; {did_you_mean(name, fit)}"
            findings.add(("lock", "objectStore"), "unknown-object-store", message)
        elif name not in fit:
            message = f"`{name}` is of type `{stores[name].type}`, and this lock needs `s3`; "
            findings.add(("lock", "objectStore"), "wrong-object-store", message + did_you_mean(name, fit))
    return findings.items


def _duplicates(
    scenarios: list[Parsed[Scenario]], environments: list[Parsed[Environment]]
) -> list[Diagnostic]:
    """Names that must be unique beyond one file: scenarios, executables (in the tenant), environments."""
    first: dict[tuple[str, str], str] = {}
    result: list[Diagnostic] = []

    def claim(kind: str, name: str, findings: Findings, where: tuple[str, ...]) -> None:
        owner = first.setdefault((kind, name), findings.path)
        if owner != findings.path:
            findings.add(
                where, f"duplicate-{kind}", f"{kind} `{name}` is already declared in {owner}", key=True
            )

    for parsed in scenarios:
        findings = Findings(parsed.source.path, parsed.source.positions, result)
        if parsed.salvaged:
            claim("scenario", parsed.salvaged.metadata.name, findings, ("metadata", "name"))
            for executable in parsed.salvaged.executables:
                claim("executable", executable, findings, ("executables", executable))
    for place in environments:
        findings = Findings(place.source.path, place.source.positions, result)
        if place.salvaged:
            claim("environment", place.salvaged.metadata.name, findings, ("metadata", "name"))
    return result
