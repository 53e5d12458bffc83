"""Reading what a model was made from: AI Core, Git, and the bytes in the object store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import yaml

from generator.errors import InputError
from generator.fingerprint import template_fingerprint
from generator.render import manifest_path, template_path
from generator.spec.reader import read
from generator.spec.resolve import ResolvedConfiguration
from generator.version import tool_version
from reconciler.aicore import AICore
from reconciler.bindings import bind
from reconciler.clock import Clock
from reconciler.commits import specs_at
from reconciler.connection import connect_readonly, credentials
from reconciler.desired import Desired, DesiredConfiguration
from reconciler.errors import InputRejectedError
from reconciler.explain import own_name
from reconciler.find import find_configurations
from reconciler.gitops import Checkout
from reconciler.live import Artifact, Configuration, Deployment, Execution, Live, Metrics
from reconciler.objectstore import ObjectStore
from reconciler.observe import observe
from reconciler.promotion import own_servers
from reconciler.provenance import Facts, Rendered, SpecFile
from reconciler.runs import executions_of
from reconciler.templates import HISTORY, made_with
from reconciler.workbench import Bench, set_up

__all__ = ["ancestry"]

#: Revisions of the specs that are asked which of them wanted a run.
PAST = 50
#: Clocks of those who commit and of AI Core may differ by that much.
_SKEW = timedelta(minutes=2)


def ancestry(
    root: Path, environment: str, catalog: Sequence[Path], clock: Clock, name: str, *, hashes: bool = True
) -> Facts:
    """Everything about the run that `name` means: an execution by id, name or address, a model by its
    artifact's id, or the model that a deployment serves (`deployment/…`).

    `hashes`: read the bytes of what the run has written, where the environment has the object store. Raises
    InputRejectedError for a name that means no run, and what reading raises.
    """
    bench = set_up(root, environment, catalog, clock)
    git = Checkout(root, bench.environment)
    git.fetch()
    aicore = connect_readonly(bench.environment, root, clock)
    live = observe(aicore, bench.desired, bench.stores, git, clock)
    run, server = _meant(name, bind(bench.desired.ordered(), live), live)
    return _Reader(root, catalog, bench, git, aicore, live).facts(run, server, hashes=hashes)


def _meant(name: str, desired: Desired, live: Live) -> tuple[Execution, Deployment | None]:
    """The run, and the server through which it was asked for."""
    runs = {run.id: run for run in live.executions}
    if name.startswith("deployment/") or any(server.id == name for server in live.deployments):
        return _served(name, desired, live, runs)
    if name in runs:
        return runs[name], None
    artifact = live.artifacts_by_id.get(name)
    if artifact and artifact.execution and artifact.execution in runs:
        return runs[artifact.execution], None
    plain = name.removeprefix("execution/").removeprefix("configuration/")
    for wanted in desired.configurations:
        if plain in {wanted.name, f"{wanted.scenario}/{wanted.name}", wanted.full_name}:
            return _latest(wanted, live), None
    known = ", ".join(one.address.replace("configuration/", "execution/") for one in desired.configurations)
    raise InputRejectedError(
        f"{name!r} is no execution, model or deployment.", remedy=f"Known by name: {known or 'none'}."
    )


def _latest(wanted: DesiredConfiguration, live: Live) -> Execution:
    """The latest run that has completed, else the latest."""
    runs = executions_of(find_configurations(wanted, live), live)
    if not runs:
        raise InputRejectedError(f"{wanted.address} has not run yet.", remedy="Look at corespec status.")
    return max(runs, key=lambda run: (run.status == "COMPLETED", run.created_at, run.id))


def _served(
    name: str, desired: Desired, live: Live, runs: Mapping[str, Execution]
) -> tuple[Execution, Deployment]:
    servers = [server for server in live.deployments if server.id == name]
    for wanted in desired.deployments:
        if wanted.address == name:
            servers = [server for server in own_servers(wanted, live) if not server.ended]
    if not servers:
        known = ", ".join(wanted.address for wanted in desired.deployments) or "none"
        raise InputRejectedError(f"There is no server {name!r}.", remedy=f"Known by name: {known}.")
    configuration = live.configurations_by_id.get(servers[-1].configuration)
    bound = configuration.inputs.values() if configuration else ()
    for artifact in (live.artifacts_by_id.get(id_) for id_ in bound):
        if artifact and artifact.execution and artifact.execution in runs:
            return runs[artifact.execution], servers[-1]
    raise InputRejectedError(
        f"What {name} serves was written by no execution that AI Core still has.",
        remedy="It was uploaded, or its execution was deleted: nothing tells how it was made.",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The entry of a spec that a run belongs to."""

    spec: SpecFile
    configuration: ResolvedConfiguration


class _Reader:
    def __init__(
        self, root: Path, catalog: Sequence[Path], bench: Bench, git: Checkout, aicore: AICore, live: Live
    ) -> None:
        self._root, self._catalog, self._bench, self._git = root, catalog, bench, git
        self._aicore, self._live = aicore, live
        self._name = bench.environment.metadata.name

    def facts(self, run: Execution, server: Deployment | None, *, hashes: bool) -> Facts:
        configuration = self._live.configurations_by_id.get(run.configuration)
        if configuration is None:
            raise InputRejectedError(f"AI Core has no configuration {run.configuration} of {run.id}.")
        asked = self._asked(configuration, run)
        template = self._template(configuration, run)
        outputs = self._live.outputs_by_execution.get(run.id, ()) or run.outputs
        files, unread = self._files(outputs) if hashes else ({}, [])
        unknown = [
            *([] if asked else [f"spec: none of the last {PAST} revisions of specs/ asks for it"]),
            *([] if template else [_why_no_template(configuration)]),
            *unread,
        ]
        place = self._bench.environment
        return Facts(
            resource_group=place.resource_group,
            service=credentials(place, self._root).base_url,
            repository=_without_user(self._bench.desired.onboarding.repository_url),
            execution=run,
            configuration=configuration,
            inputs={port: self._live.artifacts_by_id.get(id_) for port, id_ in configuration.inputs.items()},
            outputs=tuple(outputs),
            metrics=self._aicore.metrics([run.id]).get(run.id, Metrics(run.id)),
            spec=asked.spec if asked else None,
            template=template,
            address=f"configuration/{configuration.scenario}/{asked.configuration.name}" if asked else "",
            adopted=bool(asked and asked.configuration.adopt),
            deployment=server,
            files=files,
            unknown=tuple(unknown),
            tool=tool_version(),
        )

    def _asked(self, configuration: Configuration, run: Execution) -> _Asked | None:
        """The spec that asked for it: of those that do, the latest from before the run; else the earliest."""
        found = None
        for revision in self._git.history("specs", PAST):
            entry = self._entry(revision, configuration)
            if entry is None:
                continue
            found = (revision, entry)
            if self._git.committed_at(revision) <= run.created_at + _SKEW:
                break
        if found is None:
            return None
        revision, entry = found
        path, content = self._file(revision, configuration.scenario)
        digest = hashlib.sha256(content).hexdigest()
        return _Asked(SpecFile(revision, self._git.committed_at(revision), path, digest), entry)

    def _entry(self, revision: str, configuration: Configuration) -> ResolvedConfiguration | None:
        try:
            resolved = specs_at(self._git, revision, self._root, self._name, self._catalog).resolved
        except InputError:
            return None  # specs that were never valid asked for nothing
        name = own_name(configuration)
        for one in resolved.configurations:
            if (one.scenario, one.executable) != (configuration.scenario, configuration.executable):
                continue
            own = one.name == name and dict(one.parameters) == dict(configuration.parameters)
            if own or (one.adopt is not None and one.adopt.id == configuration.id):
                return one
        return None

    def _file(self, revision: str, scenario: str) -> tuple[str, bytes]:
        for path, content in sorted(self._git.files(revision, "specs").items()):
            data = (
                read(path, content).data
                if path.count("/") == 1 and path.endswith((".yaml", ".yml"))
                else None
            )
            metadata = data.get("metadata") if isinstance(data, dict) else None
            if isinstance(metadata, dict) and metadata.get("name") == scenario:
                return path, content
        return "specs", b""

    def _template(self, configuration: Configuration, run: Execution) -> Rendered | None:
        """The template for which the configuration's name vouches, at its latest revision before the run."""
        path, found = template_path(self._name, configuration.executable), None
        for revision in self._git.history(path, HISTORY):
            try:
                document = yaml.safe_load(self._git.read(revision, path) or b"")
            except yaml.YAMLError:
                continue
            if not isinstance(document, dict) or not made_with(
                configuration, template_fingerprint(document), self._live
            ):
                continue
            found = Rendered(revision, path, document, self._version(revision))
            if self._git.committed_at(revision) <= run.created_at + _SKEW:
                break
        return found

    def _version(self, revision: str) -> str:
        try:
            manifest = json.loads(self._git.read(revision, manifest_path(self._name)) or b"{}")
            return str(manifest["tool"]["version"])
        except (ValueError, KeyError, TypeError):
            return ""

    def _files(self, outputs: Sequence[Artifact]) -> tuple[dict[str, dict[str, str]], list[str]]:
        """SHA-256 of what was written, and what could not be read."""
        found: dict[str, dict[str, str]] = {}
        unread = []
        for output in outputs:
            name, _, prefix = output.url.removeprefix("ai://").partition("/")
            store = self._bench.stores.get(name) if output.url.startswith("ai://") else None
            if store is None:
                unread.append(f"bytes of {output.name}: the environment has no object store for {output.url}")
                continue
            found[output.id] = _hashes(store, prefix)
        return found, unread


def _hashes(store: ObjectStore, prefix: str) -> dict[str, str]:
    found = {}
    for path in sorted(store.sizes(prefix)):
        content = store.read(f"{prefix}/{path}")
        if content is not None:
            found[path] = hashlib.sha256(content).hexdigest()
    return found


def _why_no_template(configuration: Configuration) -> str:
    if own_name(configuration) is None:
        return "template: somebody else ran it, and no name vouches for the template"
    return f"template: none of its last {HISTORY} revisions gives the name {configuration.name}"


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url
