"""The bodies of steps and DAG templates: in which order their calls are made and what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from localcore.workflow.calls import needs
from localcore.workflow.errors import WorkflowError
from localcore.workflow.expression import names
from localcore.workflow.model import Call, Template
from localcore.workflow.plan import BAD, ERRORED, OMITTED, SUCCEEDED, Outcome, may_start, visible
from localcore.workflow.resolve import reference

T = TypeVar("T")


class Caller(Protocol):
    """The walker as a body sees it."""

    async def call(
        self, call: Call, node: str, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        """Make a call, all its rounds."""
        ...

    def value(self, text: str, scope: Mapping[str, str]) -> str:
        """A text with its tags replaced."""
        ...

    def note(self, node: str, template: str, status: str) -> None:
        """Keep the state of a node that never runs."""
        ...


async def together(runs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Results of coroutines run at once; the first error ends the others and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in runs]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


class _Body:
    """What steps and DAG templates share: two growing scopes, and outputs taken from them."""

    prefix = ""

    def __init__(
        self,
        walker: Caller,
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
        if outcome.status in BAD and not self.tolerates(call, outcome.status) and self.failure is None:
            self.failure = outcome

    def tolerates(self, call: Call, status: str) -> bool:
        return call.continue_on_error if status == ERRORED else call.continue_on_failure

    def finish(self) -> Outcome:
        if self.failure is not None:
            return Outcome(self.failure.status, self.failure.message)
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


class Steps(_Body):
    prefix = "steps"

    async def run(self) -> Outcome:
        for group in self.template.steps or ():
            await together([self.one(call) for call in group])
            if self.failure is not None:
                break
        return self.finish()


class Dag(_Body):
    prefix = "tasks"

    def tolerates(self, call: Call, status: str) -> bool:
        """A failure that another task's `depends` asks for by name is that task's business."""
        asked = {f"{call.name}.{'Errored' if status == ERRORED else 'Failed'}", f"{call.name}.Completed"}
        handled = any(
            asked & set(names(other.depends)) for other in self.template.tasks or () if other.depends
        )
        return handled or super().tolerates(call, status)

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
