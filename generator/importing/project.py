"""The project that an import writes to, as far as an import has to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from generator.errors import InputError, RepositoryError
from generator.repository import GitRepository
from generator.spec.document import Scenario
from generator.spec.environment import Environment
from generator.spec.parse import Parsed, parse
from generator.spec.reader import MAX_BYTES, read

SPECS, ENVIRONMENTS = "specs", "specs/environments"


@dataclass(frozen=True)
class Existing:
    """Specs that are there: path relative to the root -> text and model."""

    root: Path
    scenarios: Mapping[str, tuple[str, Scenario]]
    environments: Mapping[str, tuple[str, Environment]]

    @property
    def executables(self) -> dict[str, str]:
        """Executable id -> the spec that declares it."""
        return {name: path for path, (_, model) in self.scenarios.items() for name in model.executables}

    def spec_of(self, scenario: str) -> str | None:
        """Path of the spec of a scenario."""
        return next(
            (path for path, (_, model) in self.scenarios.items() if model.metadata.name == scenario), None
        )

    @property
    def catalogs(self) -> list[str]:
        """Catalogue folders that environments name."""
        return sorted({folder for _, place in self.environments.values() for folder in place.catalog})


def existing_project(root: Path) -> Existing:
    """Read the specs of a project; raises InputError when one of them has a fault of its own."""
    scenarios, environments = _folder(root, SPECS, Scenario), _folder(root, ENVIRONMENTS, Environment)
    parsed: list[Parsed[Scenario] | Parsed[Environment]] = [
        *(item for _, item in scenarios.values()),
        *(item for _, item in environments.values()),
    ]
    diagnostics = [found for item in parsed for found in item.diagnostics]
    if diagnostics:
        raise InputError(diagnostics)
    return Existing(
        root,
        {path: (text, item.model) for path, (text, item) in scenarios.items() if item.model},
        {path: (text, item.model) for path, (text, item) in environments.items() if item.model},
    )


def _folder(root: Path, folder: str, model: type[Scenario | Environment]) -> dict[str, tuple[str, Parsed]]:  # type: ignore[type-arg]
    paths = sorted(path for suffix in ("*.yaml", "*.yml") for path in (root / folder).glob(suffix))
    found = {}
    for path in paths:
        if not path.name.startswith("."):
            name = path.relative_to(root).as_posix()
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            found[name] = (content.decode("utf-8", "replace"), parse(read(name, content), model))
    return found


def remote_of(root: Path) -> str | None:
    """URL of the Git remote that the folder is pushed to, without credentials; None where there is none."""
    try:
        url = GitRepository.open(root).remote_url()
    except RepositoryError:
        return None
    parts = urlsplit(url or "")
    if parts.scheme in {"http", "https"} and "@" in parts.netloc:
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return url
