"""Templates in three places: what the specs render, what the branch holds, what AI Core has synced."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import yaml

from generator.fingerprint import configuration_fingerprint, template_fingerprint
from reconciler.desired import SHORT, Desired, DesiredTemplate
from reconciler.explain import predecessor
from reconciler.find import identity
from reconciler.live import ApplicationStatus, Configuration, Live, TemplateState

#: Revisions of a template looked at to explain what has changed.
HISTORY = 50
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class GitReader(Protocol):
    """The repository that AI Core follows, as this machine can read it."""

    def read(self, revision: str, path: str) -> bytes | None:
        """Content of `path` at a revision; None if it is not there or the revision is unknown."""
        ...

    def published(self, path: str) -> bytes | None:
        """Content of `path` at the head of the branch that AI Core follows, as far as has been fetched."""
        ...

    def history(self, path: str, limit: int) -> Iterable[str]:
        """Revisions in which `path` changed, latest first."""
        ...


def template_states(
    templates: Iterable[DesiredTemplate], status: ApplicationStatus | None, git: GitReader
) -> dict[str, TemplateState]:
    """How each wanted template stands, by executable id."""
    return {template.executable: _state(template, status, git) for template in templates}


def _state(template: DesiredTemplate, status: ApplicationStatus | None, git: GitReader) -> TemplateState:
    published = git.published(template.path) == template.content
    if status is None:
        return TemplateState(synced=False, published=published)
    failure = next(
        (r.message for r in status.resources if r.name == template.executable and _failed(r.status)), ""
    )
    synced = (
        status.sync == "Synced"
        and not failure
        and git.read(status.revision, template.path) == template.content
    )
    return TemplateState(synced=synced, published=published, revision=status.revision, message=failure)


def _failed(status: str) -> bool:
    return status.lower().endswith("failed")


def past_templates(desired: Desired, live: Live, git: GitReader) -> dict[str, Mapping[str, Any]]:
    """The templates of the predecessors of changed configurations, where Git still has them.

    A configuration's name vouches for its template: a revision is the right one when it gives that name.
    """
    found: dict[str, Mapping[str, Any]] = {}
    templates = {template.executable: template for template in desired.templates}
    histories: dict[str, _History] = {}
    for wanted in desired.configurations:
        if wanted.observed or wanted.full_name in live.configurations_by_name:
            continue
        old = predecessor(wanted, live)
        if old is None or old.name in found:
            continue
        template = templates[wanted.executable]
        if template.path not in histories:
            histories[template.path] = _History(template, git)
        past = histories[template.path]
        match = next((d for fingerprint, d in past if made_with(old, fingerprint, live)), None)
        if match is not None:
            found[old.name] = match
    return found


class _History:
    """What a template was, latest first, with its fingerprint. Each revision is read once, and no older one
    than somebody asks for: thousands of configurations may have changed with one template.
    """

    def __init__(self, template: DesiredTemplate, git: GitReader) -> None:
        self._known: list[tuple[str, Mapping[str, Any]]] = []
        self._rest = _documents(template, git)

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield from self._known
        for document in self._rest:
            self._known.append((template_fingerprint(document), document))
            yield self._known[-1]


def _documents(template: DesiredTemplate, git: GitReader) -> Iterator[Mapping[str, Any]]:
    yield template.document
    for revision in git.history(template.path, HISTORY):
        content = git.read(revision, template.path)
        try:
            document = yaml.load(content, Loader=_LOADER) if content else None  # noqa: S506 - a safe loader
        except yaml.YAMLError:
            continue  # a revision that was never valid made no configuration
        if isinstance(document, Mapping):
            yield document


def made_with(configuration: Configuration, fingerprint: str, live: Live) -> bool:
    """Whether the name of a configuration vouches for the template of that fingerprint."""
    name = configuration.own_name
    if name is None:
        return False
    ports = sorted(configuration.inputs)
    for contents in itertools.product(*(_contents(configuration.inputs[port], live) for port in ports)):
        digest = configuration_fingerprint(
            executable=configuration.executable,
            template=fingerprint,
            parameters=configuration.parameters,
            inputs=dict(zip(ports, contents, strict=True)),
        )
        if configuration.name == f"{name}--{digest[:SHORT]}":
            return True
    return False


def _contents(artifact_id: str, live: Live) -> list[str]:
    """What an input may have been called: by its content, or as an artifact from before the specs."""
    artifact = live.artifacts_by_id.get(artifact_id)
    found = [identity(artifact), f"artifact/{artifact_id}", artifact.url if artifact else None]
    return [content for content in found if content]
