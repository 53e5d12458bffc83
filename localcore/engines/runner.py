"""Runs the leaves of a workflow as processes of this machine and keeps the table of nodes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcore import clock, objectstores
from localcore.engines import container
from localcore.engines.logfile import LogWriter
from localcore.engines.node import Node
from localcore.errors import ObjectStoreError
from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Artifact, Template
from localcore.workflow.plan import ERRORED, FAILED, SUCCEEDED, Outcome


class ProcessRunner:
    """A `localcore.workflow.walk.Runner`; `job` and `secrets` as `localcore.engines.job` packs them."""

    def __init__(
        self,
        job: dict[str, Any],
        secrets: dict[str, Any],
        log: LogWriter,
        changed: Callable[[], None],
        parallel: int,
    ) -> None:
        self._job, self._secrets, self._log, self._changed = job, secrets, log, changed
        self._slots = asyncio.Semaphore(parallel)
        self._folder = Path(job["folder"])
        self._number = 0
        self.nodes: dict[str, dict[str, str]] = {}
        self.outputs: dict[str, str] = {}

    def note(self, node: str, template: str, status: str, message: str = "") -> None:
        known = self.nodes.setdefault(node, {"name": node, "template": template, "startedAt": clock.now()})
        known["status"] = status
        if message:
            known["message"] = message
        if status != "Running":
            known["finishedAt"] = clock.now()
        self._changed()

    def say(self, node: str, text: str) -> None:
        self._log.write(text, stream="stderr", node=node, container="supervisor")

    def abandon(self, message: str) -> None:
        """The walk has ended: what still counts as running failed with it."""
        for name, node in self.nodes.items():
            if node["status"] == "Running":
                self.note(name, node["template"], FAILED, message)

    async def run(
        self, node: str, template: Template, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        """Stage the inputs, run the command, save the outputs; a failure of any is an outcome."""
        async with self._slots:
            self._number += 1
            place = Node(self._folder, self._number, template)
            marker = f"LOCALCORE_NODE={self._job['execution_id']}/{self._number}"
            outcome = Outcome(ERRORED)
            try:
                await asyncio.to_thread(self._stage, place, template, artifacts)
                outcome = await self._contained(
                    place, node, template, self._command(place, node, marker, scope)
                )
            except (ObjectStoreError, WorkflowError, OSError) as error:
                outcome = Outcome(ERRORED, _said(node, error))
            finally:
                await asyncio.to_thread(place.drop_inputs if outcome.status == SUCCEEDED else place.drop)
            return outcome

    async def _contained(
        self, place: Node, node: str, template: Template, command: container.Command
    ) -> Outcome:
        """Failed when the command is to blame; raises when the outputs cannot be saved."""
        try:
            ending = await container.run(
                command, self._log, deadline=template.deadline, grace=self._job["grace"]
            )
        except OSError as error:
            return Outcome(FAILED, _said(node, error))
        if ending.code > 0 and node in self.nodes:
            self.nodes[node]["exitCode"] = str(ending.code)
        message = failure(node, ending, template.deadline)
        if message:
            return Outcome(FAILED, message)
        saved = await asyncio.to_thread(self._save, place, template)
        return Outcome(SUCCEEDED, parameters=place.parameters(), artifacts=saved, result=ending.output)

    def _command(self, place: Node, node: str, marker: str, scope: Mapping[str, str]) -> container.Command:
        own = place.environment(scope, self._secrets["secrets"])
        environment = environment_of(self._job["environment"], marker, own)
        return container.Command(place.arguments(scope), environment, place.cwd(scope), node, marker)

    # artifacts

    def _stage(self, place: Node, template: Template, artifacts: Mapping[str, str]) -> None:
        place.prepare()
        for wanted in template.input_artifacts:
            target = place.locate(wanted.path)
            if wanted.name in artifacts:
                objectstores.copy(Path(artifacts[wanted.name]), target)
            elif wanted.name in self._job["inputs"]:
                self._download(wanted, self._job["inputs"][wanted.name], target)
            elif not wanted.optional:
                raise WorkflowError(f"input artifact {wanted.name} is not bound by the configuration")
            if target.exists():
                objectstores.protect(target)

    def _download(self, wanted: Artifact, url: str, target: Path) -> None:
        name, path = objectstores.split_url(url)
        store = objectstores.open_store(self._secrets["stores"][name], Path(self._job["objects"]))
        if not store.download(path, target):
            if wanted.optional:
                return
            raise ObjectStoreError(f"input artifact {wanted.name}: nothing is stored at {url}")
        if wanted.archive and target.is_file() and objectstores.is_archive(target):
            objectstores.unpack(target)

    def _save(self, place: Node, template: Template) -> dict[str, str]:
        """Upload what has a global name; returns where each output lies for the steps after it."""
        found = {}
        for output in template.output_artifacts:
            source = place.locate(output.path)
            if not source.exists():
                if output.optional:
                    continue
                raise WorkflowError(
                    f"output artifact {output.name}: the container left nothing at {output.path}"
                )
            found[output.name] = str(source)
            if output.global_name:
                self._upload(place, output, source)
        return found

    def _upload(self, place: Node, output: Artifact, source: Path) -> None:
        path = f"{self._job['execution_id']}/{output.global_name}"
        store = objectstores.open_store(self._secrets["stores"]["default"], Path(self._job["objects"]))
        if output.archive:
            packed = place.scratch / f"{output.global_name}.tgz"
            objectstores.pack(source, packed)
            source = packed
        store.upload(source, path)
        self.outputs[output.global_name] = f"ai://default/{path}"


def environment_of(given: Mapping[str, str], marker: str, own: Mapping[str, str]) -> dict[str, str]:
    """What a container sees: this machine's harmless variables, AI Core's, the marker (NAME=value), its own.

    `PATH` begins with the folder of this Python.
    """
    name, _, value = marker.partition("=")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, **given, "PYTHONUNBUFFERED": "1", name: value, "PATH": path, **own}


def _said(node: str, error: Exception) -> str:
    """The message of what went wrong around a node."""
    if isinstance(error, OSError):
        return f"node {node}: {error.strerror or error} {error.filename or ''}".strip()
    return str(error)


def failure(node: str, ending: container.Ending, deadline: float | None) -> str:
    """Why an ended container counts as failed; empty when it does not."""
    if ending.timed_out:
        return f"node {node} was active longer than its deadline of {deadline:g} s"
    if ending.code == 0:
        return ""
    if ending.code < 0:
        reason = f"node {node} was ended by {signal.Signals(-ending.code).name}"
        return f"{reason}; its last words: {ending.last_words}" if ending.last_words else reason
    return ending.last_words or f"node {node} ended with exit code {ending.code}"
