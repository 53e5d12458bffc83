"""Parameters and `{{…}}`: every reference resolves, nothing declared is ignored, nothing reaches a shell as
code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from generator.linting.view import Document, DocumentRule, Finding, Part, Rule, View, ports, repeated
from generator.spec.types import MAX_DESCRIPTION_LENGTH, MAX_PARAMETER_LENGTH
from generator.suggest import did_you_mean

EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MAX_PARAMETERS = 1000  # AI API: parameterBindings
_WORKFLOW_FIELDS = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "serviceAccountName",
        "creationTimestamp",
        "priority",
        "status",
        "duration",
        "mainEntrypoint",
        "failures",
        "scheduledTime",
        "cronScheduleTime",
    }
)
_WORKFLOW_MAPPINGS = frozenset({"labels", "annotations", "outputs", "parameters"})
_FREE_SCOPES = frozenset({"item", "pod", "node", "retries", "lastRetry"})
_SIGNATURES = "AICORE_ARTIFACT_SIGNATURES"


@lru_cache(maxsize=8192)
def expressions(text: str) -> tuple[str, ...]:
    """What stands between `{{` and `}}`; templates refer to the same parameters again and again."""
    return tuple(EXPRESSION.findall(text))


def parameters(view: Document) -> Iterator[Finding]:
    """Parameters are unique, few enough, and short enough for the AI API."""
    declared = view.parameters
    if len(declared) > _MAX_PARAMETERS:
        where = declared[_MAX_PARAMETERS].where
        yield Finding(
            where, "parameter-count", f"is one of {len(declared)}; at most {_MAX_PARAMETERS} are legal"
        )
    for part in repeated(declared):
        yield Finding(
            (*part.where, "name"), "duplicate-parameter", f"there already is a parameter `{part.name}`"
        )
    for part in declared:
        if not _NAME.fullmatch(part.name):
            message = "must be 1 to 256 letters, digits, hyphens and underscores"
            yield Finding((*part.where, "name"), "parameter-name", message)
        for key, limit, code in (
            ("default", MAX_PARAMETER_LENGTH, "parameter-value"),
            ("value", MAX_PARAMETER_LENGTH, "parameter-value"),
            ("description", MAX_DESCRIPTION_LENGTH, "parameter-description"),
        ):
            if len(part.value.get(key) or "") > limit:
                yield Finding((*part.where, key), code, f"must have at most {limit} characters")


def unused_parameters(view: View) -> Iterator[Finding]:
    """A parameter that no template reads would be bound and ignored."""
    if not view.parameters:
        return
    names = {match.strip() for item in view.texts for match in expressions(item.text)}
    if "workflow.parameters" in names or "workflow.parameters.json" in names:
        return
    computed = [name for name in names if name.startswith("=")]
    for part in view.parameters:
        reference = f"workflow.parameters.{part.name}"
        if reference not in names and not any(reference in text for text in computed):
            message = f"nothing reads `{part.name}`; remove it or use it"
            yield Finding((*part.where, "name"), "unused-parameter", message)


def references(view: View) -> Iterator[Finding]:
    """Every `{{…}}` names something that exists where it is used. `{{=…}}` is Argo's to compute."""
    workflow = {part.name for part in view.parameters}
    steps = {
        template.where: [part.name for part in calls]
        for template, calls in zip(view.templates, view.calls, strict=True)
    }
    for item in view.texts:
        calls = steps[item.template.where] if item.template else []
        for expression in expressions(item.text):
            reference = expression.strip()
            if reference.startswith("workflow.parameters.") and reference[20:] in workflow:
                continue
            if reference.startswith("="):
                continue
            scope, *rest = reference.split(".")
            problem = _problem(scope, rest, workflow, calls, item.template)
            if problem:
                code = "unresolved-reference" if scope in _CHECKED else "unknown-reference"
                yield Finding(item.where, code, f"`{{{{{expression}}}}}` {problem}")


_CHECKED = frozenset({"workflow", "inputs", "outputs", "steps", "tasks"})


def _problem(
    scope: str, rest: list[str], workflow: set[str], calls: list[str], template: Part | None
) -> str | None:
    if scope == "workflow":
        return _workflow_problem(rest, workflow)
    if scope in {"inputs", "outputs"}:
        return _port_problem(scope, rest, template)
    if scope in {"steps", "tasks"}:
        if rest and (rest[0] in calls or rest == ["name"]):
            return None
        return f"names no step or task here; {did_you_mean('.'.join(rest[:1]), calls)}"
    if scope in _FREE_SCOPES:
        return None
    return (
        "means nothing to Argo, which leaves it as it stands; a reference is `{{workflow.parameters.NAME}}`"
    )


def _workflow_problem(rest: list[str], parameters: set[str]) -> str | None:
    kind, name = (rest[0] if rest else ""), ".".join(rest[1:])
    if kind == "parameters" and name not in {"", "json"}:
        return f"names no parameter of the workflow; {did_you_mean(name, parameters)}"
    if kind in _WORKFLOW_MAPPINGS or (kind in _WORKFLOW_FIELDS and (not name or kind == "creationTimestamp")):
        return None
    return f"names nothing of the workflow; {did_you_mean(kind, [*_WORKFLOW_FIELDS, 'parameters'])}"


def _port_problem(side: str, rest: list[str], template: Part | None) -> str | None:
    if template is None:
        return f"stands outside of a template, where there are no {side}"
    if side == "outputs" and rest in (["result"], ["exitCode"]):
        return None
    kind, name = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")
    if kind not in {"parameters", "artifacts"}:
        return f"must go on with `{side}.parameters.` or `{side}.artifacts.`"
    names = [part.name for part in ports(template, side, kind)]
    if name in names or not name:
        return None
    return f"names no {side[:-1]} of this template; {did_you_mean(name, names)}"


def shell(view: View) -> Iterator[Finding]:
    """A parameter in a command line would be run as code; it must travel through the environment."""
    for item in view.texts:
        if not {"command", "args", "source"}.isdisjoint(item.where) and re.search(
            r"\{\{\s*(workflow|inputs)\.parameters", item.text
        ):
            message = "a parameter in a command line runs as code; pass it in `env`"
            yield Finding(item.where, "parameter-in-shell", message)


def output_parameters(view: View) -> Iterator[Finding]:
    """Output parameters say where their value comes from; signatures come from a file (SAP docs)."""
    for template in view.templates:
        for part in ports(template, "outputs", "parameters"):
            source = part.value.get("valueFrom") or {}
            if part.name == _SIGNATURES:
                if not str(source.get("path") or "").startswith("/"):
                    message = "needs `valueFrom: {path: /…}`: a JSON file of global names and signatures"
                    yield Finding(part.where, "signature-parameter", message)
            elif (part.value.get("value") is None) == (part.value.get("valueFrom") is None):
                yield Finding(part.where, "output-parameter", "needs either `value` or `valueFrom`")


DOCUMENT_RULES: tuple[DocumentRule, ...] = (parameters,)
RULES: tuple[Rule, ...] = (unused_parameters, references, shell, output_parameters)
