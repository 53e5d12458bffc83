"""A WorkflowTemplate as AI Core reads it: which executable, of which scenario, with which parameters and
artifacts.

The rules are those of aicore.md section 4.1. What the workflow does is read later, by `localcore.workflow`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
# The only labels an executable shows (OpenAPI file, AiLabel); the others are AI Core's own business.
_EXTERNAL = re.compile(r"ext\.ai\.sap\.com/")
_SCENARIO = "scenarios.ai.sap.com/id"
_VERSION = "ai.sap.com/version"


class TemplateError(ValueError):
    """A template breaks a rule; the message names the field."""


@dataclass(frozen=True)
class Executable:
    """What one template contributes to the catalogue."""

    id: str
    scenario_id: str
    scenario_name: str
    scenario_description: str
    version: str
    name: str
    description: str
    parameters: tuple[dict[str, str], ...]
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    labels: tuple[dict[str, str], ...]
    template: dict[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.template, sort_keys=True).encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """What the catalogue stores beside the template itself."""
        fields = ("name", "description", "scenario_name", "scenario_description")
        lists = ("parameters", "inputs", "outputs", "labels")
        return {field: getattr(self, field) for field in fields} | {
            field: list(getattr(self, field)) for field in lists
        }


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{where} must be a mapping")
    return value


def _mappings(value: Any, where: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TemplateError(f"{where} must be a list of mappings")
    return value


def _texts(value: Any, where: str) -> dict[str, str]:
    found = _mapping(value, where)
    for key, text in found.items():
        if not isinstance(text, str):
            raise TemplateError(f"{where}.{key} must be a text (write it in quotes)")
    return found


def _required(texts: dict[str, str], key: str, where: str) -> str:
    if not texts.get(key):
        raise TemplateError(f"{where}.{key} is missing")
    return texts[key]


def _artifact(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    prefix = f"artifacts.ai.sap.com/{name}."
    found: dict[str, Any] = {"name": name}
    found |= {
        key: annotations[prefix + key] for key in ("kind", "description") if prefix + key in annotations
    }
    if prefix + "labels" in annotations:
        found["labels"] = artifact_labels(annotations[prefix + "labels"], prefix + "labels")
    return found


def artifact_labels(text: str, where: str) -> list[dict[str, str]]:
    """Labels from their annotation, a JSON object in a text."""
    try:
        labels = json.loads(text)
    except ValueError as error:
        raise TemplateError(f"metadata.annotations.{where} is not JSON: {error}") from error
    return [{"key": key, "value": str(value)} for key, value in _mapping(labels, where).items()]


def _parameters(spec: dict[str, Any]) -> tuple[dict[str, str], ...]:
    where = "spec.arguments.parameters"
    found = []
    for parameter in _mappings(_mapping(spec.get("arguments"), "spec.arguments").get("parameters"), where):
        name = parameter.get("name")
        if not isinstance(name, str) or not name:
            raise TemplateError(f"{where}: a parameter has no name")
        entry = {"name": name, "type": "string"}
        for source, key in (("value", "default"), ("default", "default"), ("description", "description")):
            if parameter.get(source) is not None:
                if not isinstance(parameter[source], str):
                    raise TemplateError(f"{where}.{name}.{source} must be a text (write it in quotes)")
                entry[key] = parameter[source]
        found.append(entry)
    return tuple(found)


def _fed_inputs(templates: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(template, artifact) pairs that another step feeds: internal, so not inputs of the executable."""
    calls: list[Any] = []
    for template in templates:
        calls += [
            call
            for group in template.get("steps") or []
            for call in (group if isinstance(group, list) else [])
        ]
        calls += _mapping(template.get("dag"), "dag").get("tasks") or []
    fed = set()
    for call in calls:
        arguments = _mapping(_mapping(call, "a step").get("arguments"), "arguments")
        for artifact in _mappings(arguments.get("artifacts"), "arguments.artifacts"):
            fed.add((str(call.get("template")), str(artifact.get("name"))))
    return fed


def _artifacts(
    templates: list[dict[str, Any]], annotations: dict[str, str]
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    fed = _fed_inputs(templates)
    for template in templates:
        where = f"template {template.get('name')!r}"
        for side, found in (("inputs", inputs), ("outputs", outputs)):
            for artifact in _mappings(
                _mapping(template.get(side), where).get("artifacts"), f"{where}: {side}.artifacts"
            ):
                name = artifact.get("name" if side == "inputs" else "globalName")
                internal = side == "inputs" and (str(template.get("name")), str(name)) in fed
                if isinstance(name, str) and not internal:
                    found[name] = _artifact(name, annotations)
    return tuple(inputs.values()), tuple(outputs.values())


def read_executable(document: Any) -> Executable:
    """Check a document and take the executable from it. Raises TemplateError naming the field."""
    top = _mapping(document, "the document")
    if top.get("kind") != "WorkflowTemplate" or top.get("apiVersion") != "argoproj.io/v1alpha1":
        kind = f"{top.get('apiVersion')}/{top.get('kind')}"
        raise TemplateError(f"kind {kind} is not served here; only argoproj.io/v1alpha1 WorkflowTemplate is")
    metadata = _mapping(top.get("metadata"), "metadata")
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TemplateError(f"metadata.name {name!r} must be 1-64 characters of a-z, 0-9 and inner hyphens")
    labels = _texts(metadata.get("labels"), "metadata.labels")
    annotations = _texts(metadata.get("annotations"), "metadata.annotations")
    spec = _mapping(top.get("spec"), "spec")
    templates = _mappings(spec.get("templates"), "spec.templates")
    if not any(template.get("name") == spec.get("entrypoint") for template in templates):
        raise TemplateError(f"spec.entrypoint {spec.get('entrypoint')!r} names no template of spec.templates")
    inputs, outputs = _artifacts(templates, annotations)
    return Executable(
        id=name,
        scenario_id=_required(labels, _SCENARIO, "metadata.labels"),
        scenario_name=_required(annotations, "scenarios.ai.sap.com/name", "metadata.annotations"),
        scenario_description=annotations.get("scenarios.ai.sap.com/description", ""),
        version=_required(labels, _VERSION, "metadata.labels"),
        name=_required(annotations, "executables.ai.sap.com/name", "metadata.annotations"),
        description=annotations.get("executables.ai.sap.com/description", ""),
        parameters=_parameters(spec),
        inputs=inputs,
        outputs=outputs,
        labels=tuple({"key": key, "value": labels[key]} for key in sorted(labels) if _EXTERNAL.match(key)),
        template=top,
    )
