"""A world in which somebody does things by hand, for the tests of drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from generator.errors import InputError
from reconciler.aicore import AICore, AICoreWriter
from reconciler.commits import Specs
from reconciler.desired import Desired
from reconciler.drift import drift
from reconciler.drift_model import Finding, ImageState, Intent, Seen
from reconciler.live import Live
from reconciler.survey import survey
from tests.reconciler.builders import (
    EXECUTABLE,
    SCENARIO,
    FakeGit,
    World,
    configuration,
    desired,
    template,
)
from tests.reconciler.fake import FakeAICore

IMAGE = "docker.io/acme/digits:1"
ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
DOCUMENT: dict[str, Any] = {
    "kind": "WorkflowTemplate",
    "metadata": {
        "name": EXECUTABLE,
        "labels": {"ai.sap.com/version": "0.0.1"},
        "annotations": {"executables.ai.sap.com/name": "Digits"},
    },
    "spec": {
        "arguments": {"parameters": [{"name": "rate", "default": "0.1"}, {"name": "seed"}]},
        "templates": [{"name": "train", "container": {"image": IMAGE}}],
    },
}


class Server(FakeAICore):
    """AI Core that also tells which executables it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[dict[str, Any]] = [
            {
                "id": EXECUTABLE,
                "scenarioId": SCENARIO,
                "name": "Digits",
                "versionId": "0.0.1",
                "parameters": [{"name": "rate", "default": "0.1"}, {"name": "seed"}],
            }
        ]

    def _read(self, path: str, params: Mapping[str, str]) -> Any:
        if path == f"/lm/scenarios/{SCENARIO}/executables":
            return {"count": len(self.offered), "resources": self.offered}
        return super()._read(path, params)


@dataclass
class Branch:
    """The branch as `survey` reads it; `foreign`: revisions that it does not hold."""

    git: FakeGit
    foreign: set[str] = field(default_factory=set)
    fetched: int = 0

    def read(self, revision: str, path: str) -> bytes | None:
        return self.git.read(revision, path)

    def published(self, path: str) -> bytes | None:
        return self.git.published(path)

    def history(self, path: str, limit: int) -> Iterable[str]:
        return self.git.history(path, limit)

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        found = self.git.files.items()
        return {path: text for (at, path), text in found if at == revision and path.startswith(f"{folder}/")}

    def fetch(self) -> None:
        self.fetched += 1

    def holds(self, revision: str) -> bool:
        return revision not in self.foreign


def _never_valid(_: str) -> Specs:
    raise InputError([])


class Lab:
    """A world at rest after an apply, whose runs have completed, and somebody's hands in it."""

    def __init__(self, root: Path, want: Desired | None = None, *, finished: bool = True) -> None:
        self.server = Server()
        self.world = World(root, want or wanted(), server=self.server)
        self.branch = Branch(self.world.git)
        self.images: tuple[ImageState, ...] = (ImageState(IMAGE, ONE, ONE),)
        self.past: dict[str, tuple[Intent, ...]] = {}
        self.world.apply()
        if finished:
            self.server.finish(outputs=["model"])

    @property
    def aicore(self) -> AICoreWriter:
        return self.world.aicore

    @property
    def folder(self) -> Path:
        """Where the dataset lies."""
        return self.world.root / "objects" / self.world.want.datasets[0].prefix

    def survey(self, live: Live) -> Seen:
        want, world = self.world.want, self.world
        seen = survey(
            AICore(self.server, self.server.clock),
            want,
            live,
            self.branch,
            commit=world.git.head,
            rendered={one.path: one.content for one in want.templates},
            manifests={f"{one.scenario}/{one.name}": world._manifest(one) for one in want.datasets},
            stores={"default": world.store},
            specs=_never_valid,
            images=self.images,
        )
        return replace(seen, intents={**seen.intents, **self.past})

    def drift(self) -> tuple[Finding, ...]:
        live = self.world.observe()
        return drift(self.world.want, live, self.survey(live))

    def run_again(self) -> None:
        self.aicore.create_execution(self.server.configurations[0]["id"])

    def stop_first(self) -> None:
        """Somebody stops the only run that there is."""
        self.server.executions[0].update(status="STOPPED", targetStatus="STOPPED")

    def delete_first(self) -> None:
        del self.server.executions[0]

    def rebind(self, key: str, value: str) -> None:
        """Another configuration of the wanted name, made by hand beside ours."""
        twin = {**self.server.configurations[0], "id": "twin"}
        twin["parameterBindings"] = [{"key": key, "value": value}]
        self.server.configurations.append(twin)

    def edit(self, path: str, content: bytes | None) -> None:
        """Somebody pushes a change of rendered/; AI Core has not synced it yet."""
        git = self.world.git
        before, git.head = git.head, "e" * 40
        git.log.insert(0, git.head)
        for (revision, known), text in list(git.files.items()):
            if revision == before:
                git.files[git.head, known] = text
        git.files.pop((git.head, path), None)
        if content is not None:
            git.files[git.head, path] = content

    def lead(self, key: str, value: str) -> None:
        self.server.applications["meter-app"][key] = value

    def declare(self, **parts: Any) -> None:
        """The environment declares admin objects."""
        onboarding = replace(self.world.want.onboarding, **parts)
        self.world.want = replace(self.world.want, onboarding=onboarding)

    def relabel(self) -> None:
        """Somebody gives the resource group another label."""
        labels = [{"key": "ext.ai.sap.com/team", "value": "another"}]
        self.server.groups["default"] = {"resourceGroupId": "default", "labels": labels}
        self.declare(group_labels={"ext.ai.sap.com/team": "vision"})

    def repoint(self) -> None:
        """Somebody lets the object store secret lead to another bucket."""
        bucket = "storage.ai.sap.com/bucket"
        self.server.store_secrets["default"] = {"name": "default", "metadata": {bucket: "another"}}
        self.declare(object_store_secrets={"default": {bucket: "ours"}})


def wanted() -> Desired:
    """One configuration, one run."""
    made = template(DOCUMENT)
    return desired([configuration(with_template=made)], templates=[made])
