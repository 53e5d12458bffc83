"""The walk of a workflow with a runner that only remembers: order, values, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Template
from localcore.workflow.parse import parse
from localcore.workflow.plan import FAILED, SUCCEEDED, Outcome
from localcore.workflow.walk import Walker


class Memory:
    """A runner whose leaves fail where they are told to."""

    def __init__(self, failing: frozenset[str] = frozenset()) -> None:
        self.failing = failing
        self.started: list[str] = []
        self.ended: list[str] = []
        self.states: dict[str, str] = {}
        self.said: list[str] = []

    async def run(
        self, node: str, template: Template, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        short = node.rpartition(".")[2]
        self.started.append(short)
        await asyncio.sleep(0)
        self.ended.append(short)
        if short in self.failing:
            return Outcome(FAILED, f"{short} failed")
        values = {one.name: scope.get("inputs.parameters.in", short) for one in template.output_parameters}
        return Outcome(SUCCEEDED, parameters=values, result=short)

    def note(self, node: str, template: str, status: str, message: str = "") -> None:
        self.states[node.rpartition(".")[2]] = status

    def say(self, node: str, text: str) -> None:
        self.said.append(text)


def _walk(document: dict[str, Any], runner: Memory) -> Outcome:
    return asyncio.run(Walker(parse(document), runner, {"workflow.parameters.p": "v"}).walk())


def _task(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "template": "leaf", **fields}


LEAF = {
    "name": "leaf",
    "inputs": {"parameters": [{"name": "in", "value": "{{workflow.parameters.p}}"}]},
    "outputs": {"parameters": [{"name": "out", "valueFrom": {"path": "/out"}, "globalName": "world"}]},
    "container": {"command": ["true"]},
}


@st.composite
def _dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Task -> earlier tasks it depends on."""
    count = draw(st.integers(1, 8))
    return {
        f"t{number}": [f"t{other}" for other in range(number) if draw(st.booleans())]
        for number in range(count)
    }


@settings(deadline=None, max_examples=60)
@given(_dags(), st.data())
def test_any_dag_ends_in_order(support: Any, dag: dict[str, list[str]], data: st.DataObject) -> None:
    """Proves.

    For any DAG and any failing tasks, no task starts before its dependencies ended well, and all have an
    end.
    """
    failing = frozenset(data.draw(st.sets(st.sampled_from(sorted(dag)))))
    fail_fast = data.draw(st.booleans())
    tasks = [_task(name, dependencies=needed) for name, needed in dag.items()]
    main = {"name": "main", "dag": {"tasks": tasks, "failFast": fail_fast}}
    runner = Memory(failing)
    outcome = _walk(support.template("flow", [main, LEAF]), runner)
    assert sorted(runner.started) == sorted(runner.ended)
    for name in runner.started:
        assert all(needed in runner.ended and needed not in failing for needed in dag[name])
    assert outcome.status == (FAILED if failing & set(runner.started) else SUCCEEDED)
    if not failing:
        assert sorted(runner.started) == sorted(dag)


def test_values_flow_and_outputs_leave(support: Any) -> None:
    """Proves: a step's output is the next one's input.

    A template's own output; a global output; a default from the workflow.
    """
    use = {"parameters": [{"name": "in", "value": "{{steps.one.outputs.parameters.out}}!"}]}
    inner = {
        "name": "inner",
        "steps": [[_task("one")], [_task("two", arguments=use)]],
        "outputs": {
            "parameters": [
                {"name": "last", "valueFrom": {"parameter": "{{steps.two.outputs.parameters.out}}"}}
            ]
        },
    }
    show = {
        "parameters": [
            {
                "name": "in",
                "value": "{{steps.a.outputs.parameters.last}}{{workflow.outputs.parameters.world}}",
            }
        ]
    }
    main = {
        "name": "main",
        "steps": [[{"name": "a", "template": "inner"}], [_task("b", arguments=show)]],
        "outputs": {
            "parameters": [{"name": "end", "valueFrom": {"parameter": "{{steps.b.outputs.parameters.out}}"}}]
        },
    }
    assert _walk(support.template("flow", [main, inner, LEAF]), Memory()).parameters == {"end": "v!v!"}


def test_a_value_is_never_read_as_a_tag(support: Any) -> None:
    argument = {"parameters": [{"name": "in", "value": "{{workflow.parameters.p}}"}]}
    outputs = {
        "parameters": [{"name": "o", "valueFrom": {"parameter": "{{steps.a.outputs.parameters.out}}"}}]
    }
    main = {"name": "main", "steps": [[_task("a", arguments=argument)]], "outputs": outputs}
    walker = Walker(
        parse(support.template("flow", [main, LEAF])), Memory(), {"workflow.parameters.p": "{{secret}}"}
    )
    assert asyncio.run(walker.walk()).parameters == {"o": "{{secret}}"}


def test_a_group_of_steps_ends_before_the_failure_counts(support: Any) -> None:
    main = {"name": "main", "steps": [[_task("a"), _task("b")], [_task("c")]]}
    runner = Memory(frozenset({"a"}))
    assert _walk(support.template("flow", [main, LEAF]), runner).message == "a failed"
    assert sorted(runner.ended) == ["a", "b"]


def test_continue_on(support: Any) -> None:
    main = {
        "name": "main",
        "steps": [
            [_task("a", continueOn={"failed": True})],
            [_task("b", when="{{steps.a.status}} == Failed")],
        ],
    }
    runner = Memory(frozenset({"a"}))
    assert _walk(support.template("flow", [main, LEAF]), runner).status == SUCCEEDED
    assert runner.ended == ["a", "b"]


def test_errors_come_alone(support: Any) -> None:
    """Proves: an error inside parallel steps is raised by itself, not as a group."""
    bad = {"parameters": [{"name": "in", "value": "{{nothing}}"}]}
    main = {"name": "main", "steps": [[_task("a", arguments=bad), _task("b", arguments=bad)]]}
    with pytest.raises(WorkflowError, match="nothing"):
        _walk(support.template("flow", [main, LEAF]), Memory())


@pytest.mark.parametrize("text", ["no json", '{"a": 1}'])
def test_with_param_must_be_a_list(support: Any, text: str) -> None:
    main = {"name": "main", "steps": [[_task("a", withParam=text)]]}
    with pytest.raises(WorkflowError, match="withParam is not a JSON list"):
        _walk(support.template("flow", [main, LEAF]), Memory())
