"""A parsed workflow: small frozen records, nothing resolved yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """An artifact port of a container: `path` inside it; `archive` False means stored as it is."""

    name: str
    path: str
    optional: bool = False
    archive: bool = True
    global_name: str = ""


@dataclass(frozen=True)
class OutputParameter:
    """A value a container leaves in a file, or that a steps or DAG template takes from a child."""

    name: str
    path: str = ""
    default: str | None = None
    expression: str | None = None
    global_name: str = ""


@dataclass(frozen=True)
class Retry:
    """At most `limit` further attempts (None: without end) after what `policy` covers.

    The pause before retry n, counted from 1, is `pause` * `factor` ** (n - 1) seconds. None begins later than
    `longest` seconds after the first attempt did.
    """

    limit: int | None
    policy: str = "OnFailure"
    pause: float = 0.0
    factor: int = 1
    longest: float | None = None


@dataclass(frozen=True)
class Mount:
    """A volume at a path.

    A shared one (a claim) lives as long as the execution, others as long as the pod.
    """

    volume: str
    path: str
    shared: bool


@dataclass(frozen=True)
class Container:
    """What to run. `env` holds (name, value).

    `env_secrets` (name, secret, key); `env_from` (secret, prefix).
    """

    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    env_secrets: tuple[tuple[str, str, str], ...] = ()
    env_from: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    source: str | None = None
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True)
class Call:
    """One step or task: which template, with which arguments, when, how often."""

    name: str
    template: str
    parameters: tuple[tuple[str, str], ...] = ()
    artifacts: tuple[tuple[str, str], ...] = ()
    when: str = ""
    items: tuple[Any, ...] | None = None
    param: str | None = None
    depends: str = ""
    continue_on_failure: bool = False
    continue_on_error: bool = False


@dataclass(frozen=True)
class Template:
    """One template; exactly one of container, steps and tasks is set."""

    name: str
    inputs: tuple[tuple[str, str | None], ...] = ()
    input_artifacts: tuple[Artifact, ...] = ()
    output_parameters: tuple[OutputParameter, ...] = ()
    output_artifacts: tuple[Artifact, ...] = ()
    output_sources: tuple[tuple[str, str, str], ...] = ()
    container: Container | None = None
    steps: tuple[tuple[Call, ...], ...] | None = None
    tasks: tuple[Call, ...] | None = None
    fail_fast: bool = True
    retry: Retry | None = None
    deadline: float | None = None


@dataclass(frozen=True)
class Workflow:
    """A whole template: `parameters` with their defaults (None: must be bound)."""

    name: str
    entrypoint: str
    templates: dict[str, Template]
    parameters: dict[str, str | None]
    deadline: float | None = None
    parallelism: int | None = None
