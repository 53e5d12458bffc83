"""Small desired states, and the memory of a Git repository, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from generator.fingerprint import manifest_fingerprint, template_fingerprint
from generator.spec.environment import Environment
from generator.spec.operations import Policy
from reconciler.aicore import AICoreWriter
from reconciler.apply import Outcome, Workplace, apply
from reconciler.dataset import DatasetFile, DatasetManifest
from reconciler.desired import (
    SHORT,
    Desired,
    DesiredConfiguration,
    DesiredDataset,
    DesiredExecution,
    DesiredTemplate,
    Onboarding,
    full_name,
)
from reconciler.directorystore import DirectoryStore
from reconciler.events import Emitter
from reconciler.health import RunBudget
from reconciler.live import Live
from reconciler.observe import observe
from reconciler.plan import plan
from reconciler.plan_model import Plan
from tests.reconciler.fake import FakeAICore

SCENARIO = "meters"
EXECUTABLE = "digits"
PATH = f"rendered/local/templates/{EXECUTABLE}.yaml"


def template_document(image: str = "docker.io/acme/digits:1") -> dict[str, Any]:
    return {
        "kind": "WorkflowTemplate",
        "metadata": {"name": EXECUTABLE},
        "spec": {
            "templates": [
                {"name": "train", "container": {"image": image, "env": [{"name": "A", "value": "1"}]}}
            ]
        },
    }


def template(document: Mapping[str, Any] | None = None) -> DesiredTemplate:
    content = yaml.safe_dump(document or template_document()).encode()
    return DesiredTemplate(
        f"template/{EXECUTABLE}", SCENARIO, EXECUTABLE, PATH, content, yaml.safe_load(content)
    )


def fingerprint_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def dataset(name: str = "pictures", content: str = "one") -> DesiredDataset:
    entry = ("a.txt", len(content), fingerprint_of(content))
    fingerprint = manifest_fingerprint([entry])
    return DesiredDataset(
        address=f"dataset/{SCENARIO}/{name}",
        scenario=SCENARIO,
        name=name,
        kind="dataset",
        description="",
        store="default",
        prefix=f"{SCENARIO}/{name}/{fingerprint[:SHORT]}",
        fingerprint=fingerprint,
        files=1,
        bytes=len(content),
    )


def configuration(
    name: str = "baseline",
    parameters: Mapping[str, str] | None = None,
    data: DesiredDataset | None = None,
    with_template: DesiredTemplate | None = None,
) -> DesiredConfiguration:
    values = dict(parameters or {"rate": "0.1"})
    inputs = {"datain": data or dataset()}
    document = (with_template or template()).document
    return DesiredConfiguration(
        address=f"configuration/{SCENARIO}/{name}",
        scenario=SCENARIO,
        executable=EXECUTABLE,
        name=name,
        full_name=full_name(name, EXECUTABLE, template_fingerprint(document), values, inputs),
        parameters=values,
        inputs=inputs,
    )


def execution(
    of: DesiredConfiguration,
    *,
    want: int = 1,
    retries: int = 2,
    rerun_after: datetime | None = None,
    timeout: timedelta | None = None,
    max_parallel: int | None = None,
    group: str | None = None,
) -> DesiredExecution:
    budget = RunBudget(want, retries, rerun_after, timeout)
    return DesiredExecution(f"execution/{SCENARIO}/{of.name}", group or of.name, of, budget, max_parallel)


def desired(
    configurations: Iterable[DesiredConfiguration] = (),
    executions: Iterable[DesiredExecution] | None = None,
    templates: Iterable[DesiredTemplate] | None = None,
) -> Desired:
    """Everything the configurations need; by default one execution of each."""
    wanted = tuple(sorted(configurations or (configuration(),), key=lambda c: c.address))
    runs = tuple(execution(c) for c in wanted) if executions is None else tuple(executions)
    data = {d.address: d for c in wanted for d in c.inputs.values()}
    return Desired(
        environment="local",
        onboarding=Onboarding("default", "gitops", "url", "meter-app", "rendered/local/templates", "main"),
        templates=tuple(templates or (template(),)),
        datasets=tuple(data[address] for address in sorted(data)),
        configurations=wanted,
        executions=runs,
    )


@dataclass
class FakeGit:
    """Content by (revision, path); `head` is the branch as pushed."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    head: str = "a" * 40
    log: list[str] = field(default_factory=list)

    def push(self, revision: str, templates: Iterable[DesiredTemplate]) -> None:
        self.head = revision
        self.log.insert(0, revision)
        for item in templates:
            self.files[revision, item.path] = item.content

    def read(self, revision: str, path: str) -> bytes | None:
        return self.files.get((revision, path))

    def published(self, path: str) -> bytes | None:
        return self.files.get((self.head, path))

    def history(self, path: str, limit: int) -> Iterable[str]:
        return [revision for revision in self.log if (revision, path) in self.files][:limit]


ENVIRONMENT = Environment.model_validate(
    {
        "apiVersion": "corespec/v1",
        "kind": "Environment",
        "metadata": {"name": "local"},
        "aiCore": {"connection": "local"},
        "objectStores": {"default": {"type": "directory", "path": "objects"}},
        "git": {"url": "url", "repository": "gitops", "application": "meter-app"},
    }
)


@dataclass
class World:
    """AI Core, Git and an object store in memory and in `root`, and the loop over them."""

    root: Path
    want: Desired
    policy: Policy = field(default_factory=lambda: Policy(max_launches_per_apply=100, max_concurrent=100))
    server: FakeAICore = field(default_factory=FakeAICore)
    git: FakeGit = field(default_factory=FakeGit)

    def __post_init__(self) -> None:
        self.store = DirectoryStore(self.root / "objects")
        self.aicore = AICoreWriter(self.server, self.server.clock)
        self.change(self.want)

    def change(self, want: Desired, *, content: Mapping[str, str] | None = None) -> None:
        """The specs have changed, were rendered and pushed."""
        self.want = want
        revision = f"{len(self.git.log):040x}"
        self.git.push(revision, want.templates)
        self.server.head = revision
        self.content = {**getattr(self, "content", {}), **(content or {})}

    def observe(self) -> Live:
        return observe(self.aicore, self.want, {"default": self.store}, self.git, self.server.clock)

    def plan(self) -> Plan:
        return plan(self.want, self.observe(), self.policy)

    def apply(self) -> Outcome:
        """One whole apply: observe, plan, walk the stages."""
        live = self.observe()
        made = plan(self.want, live, self.policy)
        return apply(made, self.want, live, self.aicore, self.place(), Emitter(self.server.clock))

    def place(self) -> Workplace:
        """What an apply works with."""
        return Workplace(
            environment=ENVIRONMENT,
            root=self.root,
            manifests={f"{d.scenario}/{d.name}": self._manifest(d) for d in self.want.datasets},
            stores={"default": self.store},
            git=self.git,
            clock=self.server.clock,
            sync_timeout=timedelta(minutes=5),
        )

    def _manifest(self, wanted: DesiredDataset) -> DatasetManifest:
        text = self.content.get(wanted.name, "one")
        source = self.root / "data" / wanted.name
        source.mkdir(parents=True, exist_ok=True)
        (source / "a.txt").write_text(text)
        files = (DatasetFile("a.txt", len(text), fingerprint_of(text)),)
        return DatasetManifest(
            source, files, manifest_fingerprint([("a.txt", len(text), fingerprint_of(text))])
        )


def at_rest(world: World) -> tuple[Any, ...]:
    """What AI Core holds, without ids and times: two worlds that agree in it are the same."""
    server = world.server
    artifacts = {a["id"]: a["url"] for a in server.artifacts}
    return (
        sorted(server.repositories),
        sorted(server.applications),
        sorted(artifacts.values()),
        sorted((c["name"], str(c["parameterBindings"])) for c in server.configurations),
        sorted((e["configurationName"], e["status"]) for e in server.executions),
        sorted((d["configurationName"], d["status"]) for d in server.deployments),
    )


__all__ = ["World", "at_rest", "configuration", "dataset", "desired", "execution", "replace", "template"]
