"""What `drift` reads besides AI Core's lists: the branch, the stores, the past. All of it, or an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import yaml

from generator.errors import InputError
from generator.render import manifest_path, render, rendered_folder
from generator.version import tool_version
from reconciler.aicore import AICore
from reconciler.bindings import bind
from reconciler.commits import Files, Specs
from reconciler.dataset import DatasetManifest
from reconciler.desired import Desired, DesiredTemplate
from reconciler.drift_model import ImageState, Intent, Seen, Shelf
from reconciler.drift_runs import history_matters, intents_of
from reconciler.live import ApplicationStatus, Live
from reconciler.objectstore import ObjectStore
from reconciler.templates import GitReader

#: Revisions of the specs that are asked whether they explain what the present ones do not.
PAST = 20

PastSpecs = Callable[[str], Specs]


class Branch(GitReader, Files, Protocol):
    """The branch that AI Core follows."""

    def fetch(self) -> None:
        """Learn what it holds now."""
        ...

    def holds(self, revision: str) -> bool:
        """Whether it holds that commit, as far as has been fetched."""
        ...


def survey(
    aicore: AICore,
    desired: Desired,
    live: Live,
    git: Branch,
    *,
    commit: str,
    rendered: Mapping[str, bytes],
    manifests: Mapping[str, DatasetManifest],
    stores: Mapping[str, ObjectStore],
    specs: PastSpecs,
    images: tuple[ImageState, ...] = (),
) -> Seen:
    """Read what `drift` compares. `specs` reads the specs of a commit; raises what the ports raise."""
    past = lru_cache(maxsize=PAST * 2)(lambda revision: _readable(specs, revision))
    published = git.files(commit, rendered_folder(desired.environment))
    status = live.application_status
    intents: dict[str, tuple[Intent, ...]] = {}
    if history_matters(bind(desired.ordered(), live), live):
        read = [past(revision) for revision in git.history("specs", PAST)]
        executions = [one for found in read if found for one in found.resolved.executions]
        intents = {address: tuple(asked) for address, asked in intents_of(executions).items()}
    return Seen(
        rendered=rendered,
        published=published,
        explained=_explained(desired.environment, rendered, published, git, past),
        synced=dict(_synced(desired.templates, status, git)),
        on_branch=_on_branch(status, git),
        executables=tuple(one for scenario in desired.scenarios for one in aicore.executables(scenario)),
        shelves=_shelves(desired, manifests, stores),
        intents=intents,
        images=images,
    )


def _readable(specs: PastSpecs, revision: str) -> Specs | None:
    """Specs that were never valid asked for nothing."""
    try:
        return specs(revision)
    except InputError:
        return None


def _shelves(
    desired: Desired, manifests: Mapping[str, DatasetManifest], stores: Mapping[str, ObjectStore]
) -> dict[str, Shelf]:
    return {
        dataset.address: Shelf(
            stores[dataset.store].sizes(dataset.prefix),
            {file.path: file.size for file in manifests[f"{dataset.scenario}/{dataset.name}"].files},
        )
        for dataset in desired.datasets
    }


def _on_branch(status: ApplicationStatus | None, git: Branch) -> bool:
    if status is None or status.revision in {"", "Unknown"} or git.holds(status.revision):
        return True
    git.fetch()  # somebody may have pushed since the first look, and AI Core was quicker
    return git.holds(status.revision)


def _synced(
    templates: Iterable[DesiredTemplate], status: ApplicationStatus | None, git: GitReader
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The templates that AI Core says it has synced, as Git has them at that revision."""
    if status is None or status.sync != "Synced":
        return
    failed = {one.name for one in status.resources if one.status.lower().endswith("failed")}
    for template in templates:
        content = None if template.executable in failed else git.read(status.revision, template.path)
        document = _document(content)
        if isinstance(document, Mapping):
            yield template.executable, document


def _document(content: bytes | None) -> object:
    try:
        return yaml.safe_load(content) if content else None
    except yaml.YAMLError:
        return None  # AI Core has refused it too


def _explained(
    environment: str,
    rendered: Mapping[str, bytes],
    published: Mapping[str, bytes],
    git: Branch,
    past: Callable[[str], Specs | None],
) -> frozenset[str]:
    """Paths that differ because nobody has rendered since: an earlier spec commit, or another version of
    this program, gives what the branch holds.
    """
    differ = [path for path in {*rendered, *published} if published.get(path) != rendered.get(path)]
    if not differ:
        return frozenset()
    made_elsewhere = _of_another_version(published.get(manifest_path(environment)))
    if made_elsewhere is not None:
        own = made_elsewhere | {manifest_path(environment): ""}
        return frozenset(
            path
            for path in differ
            if path not in published or own.get(path) in {"", hashlib.sha256(published[path]).hexdigest()}
        )
    gives = lru_cache(maxsize=PAST)(lambda revision: _rendered(past(revision)))
    return frozenset(path for path in differ if _from_the_past(path, published.get(path), git, gives))


def _of_another_version(manifest: bytes | None) -> dict[str, str] | None:
    """Digests of the files by path, where another version of this program has rendered them."""
    try:
        document = json.loads(manifest or b"{}")
        if document["tool"]["version"] == tool_version():
            return None
        return {str(path): str(digest) for path, digest in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _rendered(specs: Specs | None) -> Mapping[str, bytes]:
    try:
        return render(specs.resolved) if specs else {}
    except InputError:
        return {}


def _from_the_past(
    path: str, content: bytes | None, git: Branch, gives: Callable[[str], Mapping[str, bytes]]
) -> bool:
    """Whether a path holds what specs gave when it last changed, or what any recent ones did.

    One that is not there, and was, was removed by somebody unless the specs of that commit say so.
    """
    last = [*git.history(path, 1)]
    if content is None:
        return not last or path not in gives(last[0])
    recent = (revision for revisions in (last, git.history("specs", PAST)) for revision in revisions)
    return any(gives(revision).get(path) == content for revision in recent)
