"""Steps and DAG tasks: who calls which template, and after whom; pure."""

from __future__ import annotations

from typing import Any

from localcore.workflow.errors import WorkflowError
from localcore.workflow.expression import names
from localcore.workflow.fields import known, mapping, mappings, name, text, texts, words
from localcore.workflow.model import Call

_CALL = words("name template arguments when withItems withParam continueOn dependencies depends")


def _parameters(arguments: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    result = []
    for parameter in mappings(arguments.get("parameters"), f"{where}: arguments.parameters"):
        label = name(parameter, f"{where}: arguments.parameters")
        known(parameter, frozenset({"name", "value"}), f"{where}: arguments.parameters.{label}")
        result.append((label, text(parameter.get("value"), f"{where}: arguments.parameters.{label}.value")))
    return tuple(result)


def _artifacts(arguments: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    result = []
    for artifact in mappings(arguments.get("artifacts"), f"{where}: arguments.artifacts"):
        label = name(artifact, f"{where}: arguments.artifacts")
        known(artifact, frozenset({"name", "from"}), f"{where}: arguments.artifacts.{label}")
        result.append((label, text(artifact.get("from"), f"{where}: arguments.artifacts.{label}.from")))
    return tuple(result)


def _call(found: dict[str, Any], where: str) -> Call:
    label = name(found, where)
    where = f"{where}.{label}"
    known(found, _CALL, where)
    arguments = mapping(found.get("arguments"), f"{where}: arguments")
    known(arguments, frozenset({"parameters", "artifacts"}), f"{where}: arguments")
    items = found.get("withItems")
    if items is not None and not isinstance(items, list):
        raise WorkflowError(f"{where}: withItems must be a list")
    if found.get("depends") and found.get("dependencies"):
        raise WorkflowError(f"{where}: depends and dependencies exclude each other")
    tolerated = mapping(found.get("continueOn"), f"{where}: continueOn")
    known(tolerated, frozenset({"failed", "error"}), f"{where}: continueOn")
    # A plain dependency waits for any successful end, which in Argo includes a skipped task.
    needed = [
        f"({task}.Succeeded || {task}.Skipped)"
        for task in texts(found.get("dependencies"), f"{where}: dependencies")
    ]
    return Call(
        name=label,
        template=text(found.get("template"), f"{where}: template"),
        parameters=_parameters(arguments, where),
        artifacts=_artifacts(arguments, where),
        when=text(found.get("when", ""), f"{where}: when"),
        items=None if items is None else tuple(items),
        param=None if found.get("withParam") is None else text(found["withParam"], f"{where}: withParam"),
        depends=text(found.get("depends", ""), f"{where}: depends") or " && ".join(needed),
        continue_on_failure=bool(tolerated.get("failed", False)),
        continue_on_error=bool(tolerated.get("error", False)),
    )


def _unique(calls: list[Call], where: str) -> None:
    seen: set[str] = set()
    for call in calls:
        if call.name in seen:
            raise WorkflowError(f"{where}: the name {call.name} occurs twice")
        seen.add(call.name)


def steps(value: Any, where: str) -> tuple[tuple[Call, ...], ...]:
    """Groups of steps: one group after the other, the steps of a group at once."""
    if not isinstance(value, list):
        raise WorkflowError(f"{where}: steps must be a list of lists")
    groups = []
    for group in value:
        members = group if isinstance(group, list) else [group]
        groups.append(tuple(_call(mapping(found, f"{where}: steps"), f"{where}: steps") for found in members))
    _unique([call for group in groups for call in group], where)
    return tuple(groups)


def needs(call: Call) -> frozenset[str]:
    """The tasks whose end a task waits for."""
    return (
        frozenset(found.partition(".")[0] for found in names(call.depends)) if call.depends else frozenset()
    )


def tasks(dag: dict[str, Any], where: str) -> tuple[Call, ...]:
    """A DAG's tasks; their dependencies exist and form no circle."""
    known(dag, frozenset({"tasks", "failFast", "target"}), f"{where}: dag")
    if dag.get("target"):
        raise WorkflowError(f"{where}: dag.target is not supported by the local AI Core")
    found = [_call(task, f"{where}: dag.tasks") for task in mappings(dag.get("tasks"), f"{where}: dag.tasks")]
    _unique(found, where)
    waiting = {call.name: set(needs(call)) for call in found}
    for task, needed in waiting.items():
        missing = sorted(needed - set(waiting))
        if missing:
            raise WorkflowError(f"{where}: dag.tasks.{task} depends on {missing[0]}, which does not exist")
    while waiting:
        free = {task for task, needed in waiting.items() if not needed & set(waiting)}
        if not free:
            raise WorkflowError(
                f"{where}: the tasks {', '.join(sorted(waiting))} wait for each other in a circle"
            )
        waiting = {task: needed for task, needed in waiting.items() if task not in free}
    return tuple(found)
