"""The project folder that a verb works on: which environment is meant, and what that resolves to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corespec.errors import CommandError
from generator.catalog import Workflow
from generator.errors import InputError
from generator.project import Project, load_project, project_catalog
from generator.render import render
from generator.spec.environment import Environment
from generator.spec.parse import parse
from generator.spec.reader import read
from generator.spec.resolve import Resolved, resolve

if TYPE_CHECKING:
    from reconciler.clock import Clock
    from reconciler.live import Execution
    from reconciler.session import Session


@dataclass(frozen=True, slots=True)
class Place:
    """A loaded project with one environment of it chosen."""

    project: Project
    environment: Environment
    catalog: Mapping[str, Workflow]

    @property
    def name(self) -> str:
        name: str = self.environment.metadata.name
        return name

    def resolve(self) -> Resolved:
        """The environment's desired state; raises InputError."""
        return resolve(self.project, self.name, self.catalog)

    def render(self) -> dict[str, bytes]:
        """What `rendered/` has to hold for this environment; raises InputError."""
        return render(self.resolve())


def load(directory: Path, environment: str | None, catalog: Sequence[Path] | None) -> Place:
    """Load the project in `directory`; InputError for bad specs, CommandError for an unclear -e."""
    root = project_root(directory)
    workflows = project_catalog(root, catalog or ())
    project = load_project(root, workflows)
    return Place(project, project.environments[choose(project.environments, environment)], workflows)


def load_all(directory: Path, asked: str | None, catalog: Sequence[Path] | None) -> list[Place]:
    """Every environment of the project, or the one that was asked for; at least one."""
    if asked is not None:
        return [load(directory, asked, catalog)]
    root = project_root(directory)
    workflows = project_catalog(root, catalog or ())
    project = load_project(root, workflows)
    if not project.environments:
        raise CommandError("the project has no environment", remedy="Add specs/environments/local.yaml.")
    named = sorted(project.environments.items())
    return [Place(project, environment, workflows) for _, environment in named]


def project_root(directory: Path) -> Path:
    """The absolute project folder; raises CommandError for a folder without specs/."""
    root = directory.resolve()
    if not (root / "specs").is_dir():
        raise CommandError(
            f"{directory} is no project folder: it holds no specs/",
            remedy="Go to yours, name it with -C DIR, or make one: `corespec init DIR`.",
        )
    return root


def choose(environments: Mapping[str, Environment], asked: str | None) -> str:
    """The environment that is meant: the one asked for, else the only one, else `local`."""
    known = ", ".join(sorted(environments)) or "none"
    if asked is not None:
        if asked not in environments:
            raise CommandError(
                f"there is no environment `{asked}`", remedy=f"specs/environments/ has: {known}."
            )
        return asked
    if len(environments) == 1:
        return next(iter(environments))
    if "local" in environments:
        return "local"
    raise CommandError("which environment?", remedy=f"Name one with -e: specs/environments/ has: {known}.")


def session(
    directory: Path,
    environment: str | None,
    catalog: Sequence[Path] | None,
    clock: Clock | None = None,
) -> Session:
    """A session of the reconciler on the environment that is meant.

    Only the environments are read to choose it: the session reads the whole project when it works.
    """
    from reconciler.session import open_session  # the SDK and boto3: verbs that only render do without

    root = project_root(directory)
    return open_session(root, choose(_environments(root), environment), catalog or (), clock=clock)


def read_environment(directory: Path, environment: str | None) -> Environment:
    """The environment that is meant, as its file says now; raises InputError for a broken one."""
    environments = _environments(project_root(directory))
    return environments[choose(environments, environment)]


def latest_execution(opened: Session) -> Execution:
    """The newest execution of the project's scenarios; raises CommandError when there is none yet."""
    runs = opened.executions()
    if not runs:
        raise CommandError("there is no execution yet", remedy="`corespec apply` starts what the specs want.")
    return runs[0]


def local_data(directory: Path, environment: str | None) -> Path:
    """The local AI Core's data folder that the environment names; `.corespec/local` without a project.

    Only the environments are read, so that a scenario at fault keeps nobody from stopping a server.
    """
    if environment is None and not (directory / "specs").is_dir():
        return directory.resolve() / ".corespec" / "local"
    root = project_root(directory)
    environments = _environments(root)
    place = environments[choose(environments, environment)]
    if place.ai_core.data is None:
        raise CommandError(
            f"environment `{place.metadata.name}` is not local: its connection is {place.ai_core.connection}",
            remedy="Name a local one with -e, or a data folder with --data DIR.",
        )
    return (root / place.ai_core.data).resolve()


def _environments(root: Path) -> dict[str, Environment]:
    found: dict[str, Environment] = {}
    for path in sorted((root / "specs" / "environments").glob("*.y*ml")):
        parsed = parse(read(path.relative_to(root).as_posix(), path.read_bytes()), Environment)
        if parsed.model is None:
            raise InputError(parsed.diagnostics)
        found[parsed.model.metadata.name] = parsed.model
    return found
