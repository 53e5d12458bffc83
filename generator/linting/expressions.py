"""Parameters and `{{…}}`: every reference resolves, nothing declared is ignored, nothing reaches a shell as
code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Finding, Part, View, listed, repeated, texts
from generator.spec.types import MAX_PARAMETER_LENGTH
from generator.suggest import did_you_mean

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MAX_PARAMETERS = 1000  # AI API: parameterBindings
_WORKFLOW_FIELDS = frozenset(
    {"name", "namespace", "uid", "serviceAccountName", "creationTimestamp", "priority", "status", "duration"}
)
_FREE_SCOPES = frozenset({"item", "pod", "node", "retries", "lastRetry"})


def parameters(view: View) -> Iterator[Finding]:
    """Parameters are unique, few enough, and strings."""
    declared = view.parameters
    if len(declared) > _MAX_PARAMETERS:
        yield Finding(("spec", "arguments"), "parameter-value", f"more than {_MAX_PARAMETERS} parameters")
    for part in repeated(declared):
        message = f"there already is a parameter `{part.value.get('name')}`"
        yield Finding((*part.where, "name"), "duplicate-parameter", message)
    for part in declared:
        for key in ("default", "value"):
            value = part.value.get(key)
            if value is not None and (not isinstance(value, str) or len(value) > MAX_PARAMETER_LENGTH):
                message = f"must be a string of at most {MAX_PARAMETER_LENGTH} characters; quote it"
                yield Finding((*part.where, key), "parameter-value", message)


def unused_parameters(view: View) -> Iterator[Finding]:
    """A parameter that no template reads would be bound and ignored."""
    used = {match for _, text in texts(view.spec) for match in _EXPRESSION.findall(text)}
    names = {reference.strip() for reference in used}
    for part in view.parameters:
        name = part.value.get("name")
        if f"workflow.parameters.{name}" not in names and "workflow.parameters" not in names:
            yield Finding(
                (*part.where, "name"), "unused-parameter", f"nothing reads `{name}`; remove it or use it"
            )


def references(view: View) -> Iterator[Finding]:
    """Every `{{…}}` names something that exists where it is used."""
    workflow = [str(part.value.get("name")) for part in view.parameters]
    for template in view.templates:
        for where, text in texts(template.value, template.where):
            for expression in _EXPRESSION.findall(text):
                problem = _problem(expression.strip(), workflow, view, template)
                if problem:
                    yield Finding(where, "unresolved-reference", f"`{{{{{expression}}}}}` {problem}")


def _problem(reference: str, workflow: list[str], view: View, template: Part) -> str | None:
    scope, *rest = reference.split(".")
    if scope == "workflow":
        return _workflow_problem(rest, workflow)
    if scope in {"inputs", "outputs"}:
        return _port_problem(scope, rest, template)
    if scope in {"steps", "tasks"}:
        names = [str(part.value.get("name")) for part in view.calls(template)]
        return (
            None
            if rest and rest[0] in names
            else f"names no step or task here; {did_you_mean('.'.join(rest[:1]), names)}"
        )
    if scope in _FREE_SCOPES:
        return None
    return "resolves to nothing; write a plain reference such as `{{workflow.parameters.NAME}}`"


def _workflow_problem(rest: list[str], parameters: list[str]) -> str | None:
    kind, name = (rest[0] if rest else ""), ".".join(rest[1:])
    if kind == "parameters" and name:
        if name in parameters:
            return None
        return f"names no parameter of the workflow; {did_you_mean(name, parameters)}"
    if kind in {"labels", "annotations", "outputs", "parameters"} or (kind in _WORKFLOW_FIELDS and not name):
        return None
    return f"names nothing of the workflow; {did_you_mean(kind, [*_WORKFLOW_FIELDS, 'parameters'])}"


def _port_problem(side: str, rest: list[str], template: Part) -> str | None:
    if rest == ["result"] and side == "outputs":
        return None
    kind, name = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")
    if kind not in {"parameters", "artifacts"}:
        return f"must go on with `{side}.parameters.` or `{side}.artifacts.`"
    parts = listed(template.value.get(side) or {}, template.where, kind)
    names = [str(part.value.get("name")) for part in parts]
    if name in names or not name:
        return None
    return f"names no {side[:-1]} of this template; {did_you_mean(name, names)}"


def shell(view: View) -> Iterator[Finding]:
    """A parameter in a command line would be run as code; it must travel through the environment."""
    for template in view.templates:
        for part in view.containers(template):
            for key in ("command", "args", "source"):
                for where, text in texts(part.value.get(key), (*part.where, key)):
                    if re.search(r"\{\{\s*(workflow|inputs)\.parameters", text):
                        message = "a parameter in a command line runs as code; pass it in `env`"
                        yield Finding(where, "parameter-in-shell", message)


RULES = (parameters, unused_parameters, references, shell)
