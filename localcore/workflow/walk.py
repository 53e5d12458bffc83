"""Walking a workflow: calls templates as the plan says and hands leaves to a runner.

The walker knows no processes and no files: `Runner` does, so the same walk serves every engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from localcore.workflow.bodies import Dag, Steps, together
from localcore.workflow.model import Call, Retry, Template, Workflow
from localcore.workflow.plan import BAD, SKIPPED, Outcome, expand, summarise
from localcore.workflow.resolve import bind_parameters, resolve
from localcore.workflow.retry import verdict


class Runner(Protocol):
    """Runs leaves and keeps the table of nodes."""

    async def run(
        self, node: str, template: Template, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        """Run a container once.

        Returns Failed with a message rather than raising for a failed container, and Error for what failed
        around it.
        """
        ...

    def note(self, node: str, template: str, status: str, message: str = "") -> None:
        """Keep a node's state for the execution's statusDetails."""
        ...

    def say(self, node: str, text: str) -> None:
        """Write a line of the walk's own into the log."""
        ...


class Pace(Protocol):
    """The time that backoff is measured in, seconds."""

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class LoopPace:
    """The event loop's own time."""

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Walker:
    def __init__(
        self, workflow: Workflow, runner: Runner, scope: Mapping[str, str], pace: Pace | None = None
    ) -> None:
        self._workflow = workflow
        self._runner = runner
        self._global = dict(scope)
        self._pace = pace or LoopPace()

    async def walk(self) -> Outcome:
        """Run the entrypoint; its outcome is the workflow's.

        Raises WorkflowError for what only shows while running.
        """
        return await self._template(self._workflow.entrypoint, self._workflow.name, {}, {})

    async def _template(
        self, label: str, node: str, bound: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        template = self._workflow.templates[label]
        parameters = bind_parameters(dict(template.inputs), bound, f"template {label}")
        scope = {
            f"inputs.parameters.{name}": value if name in bound else resolve(value, self._global)
            for name, value in parameters.items()
        }
        if template.retry is None:
            outcome = await self._once(template, node, scope, artifacts)
        else:
            outcome = await self._retried(template, template.retry, node, scope, artifacts)
        if template.container is not None:
            self._publish(template, outcome)
        return outcome

    async def _retried(
        self,
        template: Template,
        retry: Retry,
        node: str,
        scope: Mapping[str, str],
        artifacts: Mapping[str, str],
    ) -> Outcome:
        """A node of its own over its attempts, `node(0)`, `node(1)`, …, as in Argo."""
        begun = self._pace.time()
        attempts = 0
        self._runner.note(node, template.name, "Running")
        while True:
            local = {**scope, "retries": str(attempts)} if template.container is not None else scope
            tried = self._bounded(template, retry, attempts, begun)
            outcome = await self._once(tried, f"{node}({attempts})", local, artifacts)
            attempts += 1
            if outcome.status not in BAD:
                message = f"succeeded at retry {attempts - 1}" if attempts > 1 else ""
                self._runner.note(node, template.name, outcome.status, message)
                return outcome
            elapsed = self._pace.time() - begun
            found = verdict(retry, outcome.status, outcome.message, attempts=attempts, elapsed=elapsed)
            if not found.again:
                self._runner.say(node, f"not tried again: {found.reason}")
                return self._given_up(template, node, outcome, found.reason if attempts > 1 else "")
            of = "" if retry.limit is None else f" of {retry.limit}"
            coming = f"retry {attempts}{of} begins in {found.pause:g} s: {outcome.message}"
            self._runner.say(node, coming)
            self._runner.note(node, template.name, "Running", coming)
            await self._pace.sleep(found.pause)

    def _given_up(self, template: Template, node: str, outcome: Outcome, reason: str) -> Outcome:
        """The last attempt's outcome; `reason` is empty where there was no other attempt to speak of."""
        message = f"{outcome.message} ({reason})" if reason else outcome.message
        self._runner.note(node, template.name, outcome.status, message)
        return replace(outcome, message=message)

    def _bounded(self, template: Template, retry: Retry, attempts: int, begun: float) -> Template:
        """From the first retry on, what is left of backoff.maxDuration is a pod's deadline, as in Argo."""
        if attempts == 0 or retry.longest is None:
            return template
        return replace(template, deadline=max(0.0, retry.longest - (self._pace.time() - begun)))

    async def _once(
        self, template: Template, node: str, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        self._runner.note(node, template.name, "Running")
        if template.container is not None:
            local = {**self._global, **scope, "pod.name": node}
            outcome = await self._runner.run(node, template, local, artifacts)
        else:
            known = {f"inputs.artifacts.{name}": value for name, value in artifacts.items()}
            body = Steps if template.steps is not None else Dag
            outcome = await body(self, template, node, scope, known).run()
        self._runner.note(node, template.name, outcome.status, outcome.message)
        return outcome

    def _publish(self, template: Template, outcome: Outcome) -> None:
        """Make a leaf's global outputs visible everywhere."""
        for parameter in template.output_parameters:
            if parameter.global_name and parameter.name in outcome.parameters:
                self._global[f"workflow.outputs.parameters.{parameter.global_name}"] = outcome.parameters[
                    parameter.name
                ]

    async def call(
        self, call: Call, node: str, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        """Run every round of a call at once; the runner limits how many containers really do."""
        rounds = expand(call, {**self._global, **scope}, artifacts)
        if not rounds:
            self._runner.note(f"{node}.{call.name}", call.template, SKIPPED)
        runs = [
            self._template(one.template, f"{node}.{one.name}", one.parameters, one.artifacts)
            for one in rounds
        ]
        return summarise(call, await together(runs))

    def value(self, text: str, scope: Mapping[str, str]) -> str:
        return resolve(text, {**self._global, **scope})

    def note(self, node: str, template: str, status: str) -> None:
        self._runner.note(node, template, status)
