"""The strict schemas: Argo's own through hera, and ours for ServingTemplates. What a schema says of a field
that has a rule of its own carries that rule's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from generator.linting.view import Finding
from generator.suggest import did_you_mean

WORKFLOW_TEMPLATE = ("argoproj.io/v1alpha1", "WorkflowTemplate")
SERVING_TEMPLATE = ("ai.sap.com/v1alpha1", "ServingTemplate")
_TEXT = "must be text; quote it"
_ALTERNATIVES = frozenset({"str", "int", "float", "bool"})
_TEXTS = {"serving-text": "must be a text that holds YAML; begin it with `|`"}


def kind_findings(document: object) -> list[Finding]:
    """Whether a document is one of the two templates that AI Core knows."""
    if not isinstance(document, Mapping):
        return [
            Finding((), "template-kind", "is no template: a template begins with `apiVersion` and `kind`")
        ]
    kinds = (WORKFLOW_TEMPLATE, SERVING_TEMPLATE)
    expected = next((item for item in kinds if item[1] == document.get("kind")), None)
    if expected is None:
        message = "must be `WorkflowTemplate` or `ServingTemplate`; nothing else belongs into this folder"
        return [Finding(("kind",), "template-kind", message)]
    if document.get("apiVersion") != expected[0]:
        return [Finding(("apiVersion",), "template-kind", f"must be `{expected[0]}`")]
    return []


def workflow_findings(document: Mapping[str, Any]) -> list[Finding]:
    """Argo's own schema, with unknown fields forbidden: hera and Argo drop them silently otherwise."""
    from hera.workflows.models import WorkflowTemplate  # half a second: only rendering pays it

    return list(schema_findings(WorkflowTemplate, document))


def schema_findings(model: type[BaseModel], document: object) -> Iterator[Finding]:
    """What does not fit `model`. A number or switch that a `{{…}}` fills is not known yet, and not judged."""
    try:
        # By alias alone: hera would also take Python's spelling, which Argo does not know.
        model.model_validate(document, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            filled = isinstance(item["input"], str) and "{{" in item["input"]
            if not (filled and item["type"].startswith(("int", "float", "bool"))):
                yield _finding(item, model)
    except RecursionError:
        yield Finding((), "template-schema", "is nested too deeply")


def _finding(item: ErrorDetails, model: type[BaseModel]) -> Finding:
    where = item["loc"]
    if where[-1:] and where[-1] in _ALTERNATIVES:  # pydantic names the type that it tried last
        where = where[:-1]
    code = _code(where) if item["type"] in {"string_type", "none_required"} else "template-schema"
    return Finding(
        where,
        code,
        _words(item, model) if code == "template-schema" else _TEXTS.get(code, _TEXT),
        item["type"] == "extra_forbidden",
    )


def _words(item: ErrorDetails, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        return f"unknown field; {did_you_mean(str(item['loc'][-1]), _fields_at(model, item['loc'][:-1]))}"
    return "this field is missing" if item["type"] == "missing" else item["msg"]


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> set[str]:
    """Names of the fields that are legal at a path."""
    models = [model]
    for step in path:
        if isinstance(step, str):
            fields = [
                field
                for parent in models
                for name, field in parent.model_fields.items()
                if step in {field.alias, name}
            ]
            models = [below for field in fields for below in _models(field.annotation)] or models
    return {field.alias or name for parent in models for name, field in parent.model_fields.items()}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [below for part in get_args(annotation) for below in _models(part)]
    root = annotation.model_fields.get("root") if issubclass(annotation, RootModel) else None
    return _models(root.annotation) if root else [annotation]


def _code(where: tuple[int | str, ...]) -> str:
    """The code of a value that is no text, by where it stands."""
    parent = where[-2] if len(where) > 1 else ""
    holder = where[-3] if len(where) > 2 else ""
    if where[:2] == ("spec", "template") and where[-1] in {"spec", "labels", "annotations"}:
        return "serving-text"
    if parent == "labels":
        return "label-value"
    if parent == "annotations":
        return "annotation-value"
    if holder == "parameters" and where[-1] in {"default", "value"}:
        return "parameter-value"
    if holder == "env" and where[-1] == "value":
        return "variable-value"
    return "template-schema"
