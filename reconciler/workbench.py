"""What one look at an environment needs, read afresh each time: specs, templates, data, stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.errors import ReferenceUnavailableError
from generator.lintcache import LintCache
from generator.project import load_project, project_catalog
from generator.render import render
from generator.spec.environment import Environment, Git
from generator.spec.resolve import Resolved, resolve
from reconciler.adminvalues import store_fields
from reconciler.check import Check, checks, run_checks
from reconciler.clock import Clock
from reconciler.counts import Counts, checked_counts
from reconciler.dataset import DatasetManifest
from reconciler.deriving import desired
from reconciler.desired import Desired
from reconciler.errors import AuthenticationError
from reconciler.objectstore import ObjectStore
from reconciler.plan_model import Problem
from reconciler.sources.read import read_dataset
from reconciler.stores import open_stores

#: Folder of this machine's working files below the project root; deleting its cache changes only speed.
WORK = ".corespec"
#: File in it: what happened to which object.
EVENTS = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Bench:
    """Specs, templates and data of one environment, and what they ask for."""

    root: Path
    resolved: Resolved
    rendered: Mapping[str, bytes]
    manifests: Mapping[str, DatasetManifest]  #: `<scenario>/<dataset>` -> content
    desired: Desired
    stores: Mapping[str, ObjectStore]

    @property
    def environment(self) -> Environment:
        return self.resolved.environment

    def checks(self, wanted: frozenset[str]) -> tuple[Check, ...]:
        """What the workflows' checkers have to look at in these datasets (`<scenario>/<dataset>`)."""
        return checks(self.resolved, self.manifests, wanted)

    def check_datasets(self, wanted: frozenset[str]) -> tuple[Problem, ...]:
        """Run the workflows' checkers; returns warnings. Raises DatasetError naming each bad file."""
        return run_checks(self.checks(wanted), self.root / WORK / "cache")

    def counts(self, wanted: frozenset[str]) -> dict[str, Counts]:
        """What the checks of these datasets have counted; nothing where none has run."""
        cache = self.root / WORK / "cache"
        return {name: checked_counts(self.checks(frozenset({name})), cache) for name in sorted(wanted)}


def read_specs(root: Path, environment: str, catalog: Sequence[Path]) -> Resolved:
    """The resolved specs. Raises generator.errors.InputError with every finding."""
    workflows = project_catalog(root, catalog)
    return resolve(load_project(root, workflows), environment, workflows)


def set_up(root: Path, environment: str, catalog: Sequence[Path], clock: Clock) -> Bench:
    """Read specs, render, and hash the data. Raises InputError and DatasetError.

    Sends requests only for datasets that come from elsewhere (https, s3).
    """
    return equip(read_specs(root, environment, catalog), root, clock)


def equip(resolved: Resolved, root: Path, clock: Clock) -> Bench:
    """The rest of what a look needs, for specs that may be those of any commit; data lies below `root`."""
    linted = LintCache(root, resolved.environment.metadata.name)
    rendered = render(resolved, passed=linted)
    linted.save()
    cache = root / WORK / "cache"
    stores = open_stores(resolved.environment, root, clock)
    manifests = {
        f"{item.scenario}/{item.name}": read_dataset(item.dataset, root, cache, clock, stores.values())
        for item in resolved.datasets
    }
    url = repository_url(resolved.environment.git, root)
    return Bench(
        root=root,
        resolved=resolved,
        rendered=rendered,
        manifests=manifests,
        desired=desired(resolved, rendered, manifests, url, _store_fields(resolved.environment)),
        stores=stores,
    )


def _store_fields(environment: Environment) -> dict[str, dict[str, str]]:
    try:
        return store_fields(environment)
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"objectStores: {error}") from None


def repository_url(git: Git, root: Path) -> str:
    """The repository as AI Core shall know it: a relative path starts at the project folder."""
    try:
        url = git.url.resolve()
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"git.url: {error}") from None
    is_path = "://" not in url and not (":" in url.partition("/")[0] and "@" in url.partition(":")[0])
    return str((root / url).resolve()) if is_path else url
