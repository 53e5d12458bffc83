"""Output artifacts as AI Core registers them.

Kind, name, description and labels from the template's annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcore.executable import TemplateError, artifact_labels
from localcore.store.database import Row, unpack
from localcore.store.store import Store


def registered(store: Store, row: Row, outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """The artifacts to register for an execution's outputs, given as global name -> URL."""
    executable = store.catalog.executable(row["executable_id"])
    document = unpack(executable["template"]) if executable else {}
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    return [_artifact(row, name, url, annotations) for name, url in outputs.items()]


def _artifact(row: Row, name: str, url: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    def said(key: str, default: str) -> str:
        return annotations.get(f"artifacts.ai.sap.com/{name}.{key}", default)

    try:
        labels = artifact_labels(said("labels", "{}"), "labels")
    except TemplateError:  # refused at the next sync; a finished training is registered all the same
        labels = []
    return {
        "name": said("name", name),
        "kind": said("kind", "model"),
        "url": url,
        "scenarioId": row["scenario_id"],
        "description": said("description", ""),
        "labels": labels,
        "executionId": row["id"],
        "configurationId": row["configuration_id"],
    }
