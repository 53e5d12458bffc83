"""ServingTemplates: their ports, and the serving spec that a configuration makes of one.

AI Core renders `spec.template` with Jinja: a hyphen in the name of an artifact is a minus sign there, which
is why the failure of such a template shows only when it is deployed (aicore.md section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localcore.executable import TemplateError, artifact, mapping, mappings, parameters
from localcore.yamldoc import DocumentError, load_documents

# The parts of `spec.template` that are texts with placeholders.
_TEXTS = (("metadata", "annotations"), ("metadata", "labels"), ("spec",))
_MISSING = (
    "Missing input parameter or artifacts, one or more placeholder values are not resolved in the "
    "serving spec and error is"
)
_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


class ServingError(ValueError):
    """A configuration makes no serving spec of its template; worded as AI Core words it where it does."""


@dataclass(frozen=True)
class ServingSpec:
    """The rendered parts of an InferenceService."""

    annotations: dict[str, Any]
    labels: dict[str, Any]
    spec: dict[str, Any]


def ports(
    spec: dict[str, Any], annotations: dict[str, str]
) -> tuple[tuple[dict[str, str], ...], tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Parameters, inputs and (no) outputs of a ServingTemplate. Raises TemplateError naming the field."""
    inputs = mapping(spec.get("inputs"), "spec.inputs")
    where = "spec.inputs.parameters"
    found = []
    for port in mappings(inputs.get("artifacts"), "spec.inputs.artifacts"):
        name = port.get("name")
        if not isinstance(name, str) or not name:
            raise TemplateError("spec.inputs.artifacts: an artifact has no name")
        found.append(artifact(name, annotations))
    for place in _TEXTS:
        _text(spec, place)
    return parameters(mappings(inputs.get("parameters"), where), where), tuple(found), ()


def _text(spec: dict[str, Any], place: tuple[str, ...]) -> str:
    """One of the texts; empty where optional and absent. Raises TemplateError."""
    where = ".".join(("spec.template", *place))
    value: Any = mapping(spec.get("template"), "spec.template")
    for key in place[:-1]:
        value = mapping(value.get(key), f"spec.template.{key}")
    value = value.get(place[-1], None if place == ("spec",) else "")
    if not isinstance(value, str):
        raise TemplateError(f"{where} must be a text of several lines (write `{place[-1]}: |`)")
    return value


def render(
    template: Mapping[str, Any], values: Mapping[str, str], artifacts: Mapping[str, str]
) -> ServingSpec:
    """The serving spec for parameter values and artifact URLs, defaults filled in.

    Raises ServingError: a placeholder without value, or a result that is no YAML.
    """
    spec = mapping(template.get("spec"), "spec")
    declared = mappings(
        mapping(spec.get("inputs"), "spec.inputs").get("parameters"), "spec.inputs.parameters"
    )
    if not declared:  # as AI Core's own troubleshooting page tells of it
        raise ServingError(f"{_MISSING} that the template declares no input parameter (add one, if unused)")
    defaults = {one["name"]: one["default"] for one in parameters(declared, "inputs") if "default" in one}
    scope = {"inputs": {"parameters": {**defaults, **values}, "artifacts": dict(artifacts)}}
    annotations, labels, body = (_rendered(_text(spec, place), place, scope) for place in _TEXTS)
    return ServingSpec(annotations, labels, body)


def _rendered(text: str, place: tuple[str, ...], scope: Mapping[str, Any]) -> dict[str, Any]:
    try:
        result = _JINJA.from_string(text).render(scope)
    except (
        JinjaError,
        ArithmeticError,
        TypeError,
        ValueError,
    ) as error:  # the last three: what a {{…}} computes
        raise ServingError(f"{_MISSING} {error}") from error
    try:
        documents = load_documents(result.encode())
    except DocumentError as error:
        raise ServingError(f"spec.template.{'.'.join(place)} is no YAML once rendered: {error}") from error
    found = documents[0] if documents else {}
    if not isinstance(found, dict):
        raise ServingError(f"spec.template.{'.'.join(place)} is no mapping once rendered")
    return found
