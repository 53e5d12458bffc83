"""What a template contributes to the catalogue, and how its fields are read: strictly, each bad one named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class TemplateError(ValueError):
    """A template breaks a rule; the message names the field."""


@dataclass(frozen=True)
class Executable:
    """What one template contributes to the catalogue. `deployable`: it came from a ServingTemplate."""

    id: str
    scenario_id: str
    scenario_name: str
    scenario_description: str
    version: str
    name: str
    description: str
    deployable: bool
    parameters: tuple[dict[str, str], ...]
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    labels: tuple[dict[str, str], ...]
    template: dict[str, Any]

    @property
    def kind(self) -> str:
        return "ServingTemplate" if self.deployable else "WorkflowTemplate"

    @property
    def resource(self) -> str:
        """Its name as the messages of a sync give it."""
        group = "servingtemplate.ai.sap.com" if self.deployable else "workflowtemplate.argoproj.io"
        return f"{group}/{self.id}"

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


def mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TemplateError(f"{where} must be a mapping")
    return value


def mappings(value: Any, where: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TemplateError(f"{where} must be a list of mappings")
    return value


def texts(value: Any, where: str) -> dict[str, str]:
    found = mapping(value, where)
    for key, text in found.items():
        if not isinstance(text, str):
            raise TemplateError(f"{where}.{key} must be a text (write it in quotes)")
    return found


def required(found: dict[str, str], key: str, where: str) -> str:
    if not found.get(key):
        raise TemplateError(f"{where}.{key} is missing")
    return found[key]


def artifact(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """An artifact port as its annotations describe it."""
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
    return [{"key": key, "value": str(value)} for key, value in mapping(labels, where).items()]


def parameters(found: Iterable[dict[str, Any]], where: str) -> tuple[dict[str, str], ...]:
    """Parameters as the API lists them; every one is a string, whatever it stands for."""
    result = []
    for parameter in found:
        name = parameter.get("name")
        if not isinstance(name, str) or not name:
            raise TemplateError(f"{where}: a parameter has no name")
        entry = {"name": name, "type": "string"}
        for source, key in (("value", "default"), ("default", "default"), ("description", "description")):
            if parameter.get(source) is not None:
                if not isinstance(parameter[source], str):
                    raise TemplateError(f"{where}.{name}.{source} must be a text (write it in quotes)")
                entry[key] = parameter[source]
        result.append(entry)
    return tuple(result)
