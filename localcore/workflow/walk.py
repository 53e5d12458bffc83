"""Walking a workflow: calls templates as the plan says and hands leaves to a runner.

The walker knows no processes and no files: `Runner` does, so the same walk serves every engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from localcore.workflow.calls import needs
from localcore.workflow.errors import WorkflowError
from localcore.workflow.expression import names
from localcore.workflow.model import Call, Template, Workflow
from localcore.workflow.plan import (
    FAILED,
    OMITTED,
    SKIPPED,
    SUCCEEDED,
    Outcome,
    expand,
    may_start,
    summarise,
    visible,
)
from localcore.workflow.resolve import bind_parameters, reference, resolve

T = TypeVar("T")


class Runner(Protocol):
    """Runs leaves and keeps the table of nodes."""

    async def run(
        self, node: str, template: Template, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        """Run a container once. Returns Failed with a message rather than raising for a failed container."""
        ...

    def note(self, node: str, template: str, status: str, message: str = "") -> None:
        """Keep a node's state for the execution's statusDetails."""
        ...


async def together(runs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Results of coroutines run at once; the first error ends the others and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in runs]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


class Walker:
    def __init__(self, workflow: Workflow, runner: Runner, scope: Mapping[str, str]) -> None:
        self._workflow = workflow
        self._runner = runner
        self._global = dict(scope)

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
        if template.container is not None:
            return await self._leaf(template, node, scope, artifacts)
        self._runner.note(node, label, "Running")
        known = {f"inputs.artifacts.{name}": value for name, value in artifacts.items()}
        outcome = await (_Steps if template.steps is not None else _Dag)(
            self, template, node, scope, known
        ).run()
        self._runner.note(node, label, outcome.status, outcome.message)
        return outcome

    async def _leaf(
        self, template: Template, node: str, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        outcome = Outcome(FAILED)
        for attempt in range(template.retry.limit + 1):
            name = f"{node}({attempt})" if template.retry.limit else node
            if attempt:
                await asyncio.sleep(template.retry.seconds * template.retry.factor ** (attempt - 1))
            self._runner.note(name, template.name, "Running")
            local = {**self._global, **scope, "retries": str(attempt), "pod.name": name}
            outcome = await self._runner.run(name, template, local, artifacts)
            self._runner.note(name, template.name, outcome.status, outcome.message)
            if outcome.status == SUCCEEDED:
                break
        for parameter in template.output_parameters:
            if parameter.global_name and parameter.name in outcome.parameters:
                self._global[f"workflow.outputs.parameters.{parameter.global_name}"] = outcome.parameters[
                    parameter.name
                ]
        return outcome

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


class _Composite:
    """What steps and DAG templates share: two growing scopes, and outputs taken from them."""

    prefix = ""

    def __init__(
        self,
        walker: Walker,
        template: Template,
        node: str,
        scope: Mapping[str, str],
        artifacts: Mapping[str, str],
    ) -> None:
        self.walker, self.template, self.node = walker, template, node
        self.scope, self.artifacts = dict(scope), dict(artifacts)
        self.states: dict[str, str] = {}
        self.failure: Outcome | None = None

    async def one(self, call: Call) -> None:
        """Run a call and make what it left visible to those after it."""
        outcome = await self.walker.call(call, self.node, self.scope, self.artifacts)
        values, artifacts = visible(self.prefix, call.name, outcome)
        self.scope.update(values)
        self.artifacts.update(artifacts)
        self.states[call.name] = outcome.status
        if outcome.status == FAILED and not self.tolerates(call) and self.failure is None:
            self.failure = outcome

    def tolerates(self, call: Call) -> bool:
        return call.continue_on_failure

    def finish(self) -> Outcome:
        if self.failure is not None:
            return Outcome(FAILED, self.failure.message)
        parameters = {}
        for wanted in self.template.output_parameters:
            if wanted.expression is not None:
                parameters[wanted.name] = self._output(wanted.expression, wanted.default)
        artifacts = {}
        for name, source, _ in self.template.output_sources:
            key = reference(source)
            if key not in self.artifacts:
                raise WorkflowError(
                    f"template {self.template.name}: output artifact {name}: there is no {key}"
                )
            artifacts[name] = self.artifacts[key]
        return Outcome(SUCCEEDED, parameters=parameters, artifacts=artifacts)

    def _output(self, expression: str, default: str | None) -> str:
        try:
            return self.walker.value(expression, self.scope)
        except WorkflowError:
            if default is None:
                raise
            return default


class _Steps(_Composite):
    prefix = "steps"

    async def run(self) -> Outcome:
        for group in self.template.steps or ():
            await together([self.one(call) for call in group])
            if self.failure is not None:
                break
        return self.finish()


class _Dag(_Composite):
    prefix = "tasks"

    def tolerates(self, call: Call) -> bool:
        """A failure that another task's `depends` asks for by name is that task's business."""
        asked = {f"{call.name}.{result}" for result in ("Failed", "Errored", "Completed")}
        handled = any(
            asked & set(names(other.depends)) for other in self.template.tasks or () if other.depends
        )
        return handled or super().tolerates(call)

    async def run(self) -> Outcome:
        waiting = {call.name: call for call in self.template.tasks or ()}
        running: set[asyncio.Task[None]] = set()
        try:
            while waiting or running:
                for call in self._free(waiting):
                    del waiting[call.name]
                    self._start(call, running)
                if not running and not self._free(waiting):
                    break
                if running:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return self.finish()

    def _free(self, waiting: Mapping[str, Call]) -> list[Call]:
        if self.failure is not None and self.template.fail_fast:
            return []
        return [call for call in waiting.values() if needs(call) <= set(self.states)]

    def _start(self, call: Call, running: set[asyncio.Task[None]]) -> None:
        if may_start(call, self.states):
            running.add(asyncio.create_task(self.one(call)))
            return
        self.states[call.name] = OMITTED
        self.walker.note(f"{self.node}.{call.name}", call.template, OMITTED)
