"""What to run next: loops unrolled, conditions decided, dependencies checked; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from localcore.workflow.errors import WorkflowError
from localcore.workflow.expression import evaluate
from localcore.workflow.model import Call
from localcore.workflow.resolve import item_scope, reference, resolve

SUCCEEDED, FAILED, SKIPPED, OMITTED = "Succeeded", "Failed", "Skipped", "Omitted"
# Not the container but something around it failed, such as its inputs: Argo's node phase Error.
ERRORED = "Error"
BAD = (FAILED, ERRORED)
_STATES = {
    "Succeeded": {SUCCEEDED},
    "Failed": {FAILED},
    "Errored": {ERRORED},
    "Skipped": {SKIPPED},
    "Omitted": {OMITTED},
    "Completed": {SUCCEEDED, FAILED, ERRORED},
}
# A task's bare name in `depends` means this, as in Argo.
_GOOD_END = {SUCCEEDED, SKIPPED}


@dataclass(frozen=True)
class Outcome:
    """How a node ended and what it left.

    Parameters by name, artifacts by name as references of the runner.
    """

    status: str
    message: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    result: str = ""


@dataclass(frozen=True)
class Invocation:
    """One run of a template with everything it needs."""

    name: str
    template: str
    parameters: dict[str, str]
    artifacts: dict[str, str]


def _rounds(call: Call, scope: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """(suffix of the name, additional scope) of each round.

    One without suffix when the call does not loop.
    """
    if call.items is None and call.param is None:
        return [("", {})]
    items: Sequence[object] = call.items or ()
    if call.param is not None:
        try:
            items = json.loads(resolve(call.param, scope))
        except ValueError as error:
            raise WorkflowError(f"{call.name}: withParam is not a JSON list: {error}") from error
        if not isinstance(items, list):
            raise WorkflowError(f"{call.name}: withParam is not a JSON list")
    rounds = []
    for number, item in enumerate(items):
        found = item_scope(item)
        rounds.append((f"({number}:{found['item'][:40]})", found))
    return rounds


def expand(call: Call, scope: Mapping[str, str], artifacts: Mapping[str, str]) -> list[Invocation]:
    """The runs a call means now; none when `when` is false in every round. Raises WorkflowError."""
    found = []
    for suffix, additional in _rounds(call, scope):
        local = {**scope, **additional}
        if call.when and not evaluate(call.when, lambda text, local=local: resolve(text, local)):  # type: ignore[misc]
            continue
        bound = {}
        for name, source in call.artifacts:
            key = reference(source)
            if key not in artifacts:
                raise WorkflowError(
                    f"{call.name}: artifact {name} comes from {{{{{key}}}}}, which does not exist"
                )
            bound[name] = artifacts[key]
        parameters = {name: resolve(value, local) for name, value in call.parameters}
        found.append(Invocation(call.name + suffix, call.template, parameters, bound))
    return found


def summarise(call: Call, outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for a call: of a loop, the values of all rounds as JSON lists."""
    if not outcomes:
        return Outcome(SKIPPED)
    failed = next((outcome for outcome in outcomes if outcome.status in BAD), None)
    if failed is not None:
        return failed
    if call.items is None and call.param is None:
        return outcomes[0]
    names = outcomes[0].parameters
    parameters = {
        name: json.dumps([outcome.parameters.get(name, "") for outcome in outcomes]) for name in names
    }
    return Outcome(
        SUCCEEDED, parameters=parameters, result=json.dumps([outcome.result for outcome in outcomes])
    )


def visible(prefix: str, name: str, outcome: Outcome) -> tuple[dict[str, str], dict[str, str]]:
    """What a finished call adds to the scopes of values and of artifacts; prefix is `steps` or `tasks`."""
    head = f"{prefix}.{name}"
    values = {f"{head}.status": outcome.status, f"{head}.outputs.result": outcome.result}
    values |= {f"{head}.outputs.parameters.{key}": value for key, value in outcome.parameters.items()}
    return values, {f"{head}.outputs.artifacts.{key}": value for key, value in outcome.artifacts.items()}


def may_start(call: Call, states: Mapping[str, str]) -> bool:
    """Whether a task's dependencies, all of which have ended, ended as it wants."""

    def value(word: str) -> str:
        task, _, wanted = word.partition(".")
        if wanted and wanted not in _STATES:
            raise WorkflowError(f"{call.name}: depends knows no result {wanted!r}")
        return "true" if states[task] in (_STATES[wanted] if wanted else _GOOD_END) else "false"

    return evaluate(call.depends, value) if call.depends else True
