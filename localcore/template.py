"""A template as AI Core reads it: which executable, of which scenario, with which parameters and artifacts.

The rules are those of aicore.md sections 4.1 (WorkflowTemplate) and 4.2 (ServingTemplate). What a workflow
does is read later, by `localcore.workflow`; what a server serves, by `localcore.serving`.
"""

from __future__ import annotations

import re
from typing import Any

from localcore import serving
from localcore.executable import (
    Executable,
    TemplateError,
    artifact,
    mapping,
    mappings,
    parameters,
    required,
    texts,
)

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
# The only labels an executable shows (OpenAPI file, AiLabel); the others are AI Core's own business.
_EXTERNAL = re.compile(r"ext\.ai\.sap\.com/")
_SCENARIO = "scenarios.ai.sap.com/id"
_VERSION = "ai.sap.com/version"
_WORKFLOW = ("argoproj.io/v1alpha1", "WorkflowTemplate")
_SERVING = ("ai.sap.com/v1alpha1", "ServingTemplate")

Ports = tuple[dict[str, Any], ...]


def _fed_inputs(templates: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(template, artifact) pairs that another step feeds: internal, so not inputs of the executable."""
    calls: list[Any] = []
    for template in templates:
        calls += [
            call
            for group in template.get("steps") or []
            for call in (group if isinstance(group, list) else [])
        ]
        calls += mapping(template.get("dag"), "dag").get("tasks") or []
    fed = set()
    for call in calls:
        arguments = mapping(mapping(call, "a step").get("arguments"), "arguments")
        for found in mappings(arguments.get("artifacts"), "arguments.artifacts"):
            fed.add((str(call.get("template")), str(found.get("name"))))
    return fed


def _artifacts(templates: list[dict[str, Any]], annotations: dict[str, str]) -> tuple[Ports, Ports]:
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    fed = _fed_inputs(templates)
    for template in templates:
        where = f"template {template.get('name')!r}"
        for side, found in (("inputs", inputs), ("outputs", outputs)):
            for port in mappings(
                mapping(template.get(side), where).get("artifacts"), f"{where}: {side}.artifacts"
            ):
                name = port.get("name" if side == "inputs" else "globalName")
                internal = side == "inputs" and (str(template.get("name")), str(name)) in fed
                if isinstance(name, str) and not internal:
                    found[name] = artifact(name, annotations)
    return tuple(inputs.values()), tuple(outputs.values())


def _workflow(
    spec: dict[str, Any], annotations: dict[str, str]
) -> tuple[tuple[dict[str, str], ...], Ports, Ports]:
    """Parameters, inputs and outputs of a WorkflowTemplate."""
    templates = mappings(spec.get("templates"), "spec.templates")
    if not any(template.get("name") == spec.get("entrypoint") for template in templates):
        raise TemplateError(f"spec.entrypoint {spec.get('entrypoint')!r} names no template of spec.templates")
    where = "spec.arguments.parameters"
    declared = mappings(mapping(spec.get("arguments"), "spec.arguments").get("parameters"), where)
    return parameters(declared, where), *_artifacts(templates, annotations)


def read_executable(document: Any) -> Executable:
    """Check a document and take the executable from it. Raises TemplateError naming the field."""
    top = mapping(document, "the document")
    kind = (top.get("apiVersion"), top.get("kind"))
    if kind not in (_WORKFLOW, _SERVING):
        served = " and ".join("/".join(one) for one in (_WORKFLOW, _SERVING))
        raise TemplateError(f"kind {kind[0]}/{kind[1]} is not served here; only {served} are")
    metadata = mapping(top.get("metadata"), "metadata")
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TemplateError(f"metadata.name {name!r} must be 1-64 characters of a-z, 0-9 and inner hyphens")
    labels = texts(metadata.get("labels"), "metadata.labels")
    annotations = texts(metadata.get("annotations"), "metadata.annotations")
    spec = mapping(top.get("spec"), "spec")
    deployable = kind == _SERVING
    ports = serving.ports(spec, annotations) if deployable else _workflow(spec, annotations)
    return Executable(
        id=name,
        scenario_id=required(labels, _SCENARIO, "metadata.labels"),
        scenario_name=required(annotations, "scenarios.ai.sap.com/name", "metadata.annotations"),
        scenario_description=annotations.get("scenarios.ai.sap.com/description", ""),
        version=required(labels, _VERSION, "metadata.labels"),
        name=required(annotations, "executables.ai.sap.com/name", "metadata.annotations"),
        description=annotations.get("executables.ai.sap.com/description", ""),
        deployable=deployable,
        parameters=ports[0],
        inputs=ports[1],
        outputs=ports[2],
        labels=tuple({"key": key, "value": labels[key]} for key in sorted(labels) if _EXTERNAL.match(key)),
        template=top,
    )
