"""What a template asks for: parameters, artifacts, containers and machines. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from generator.spec.reader import Path

Json = Mapping[str, Any]
PLAN, INSTANCE = "ai.sap.com/resourcePlan", "ai.sap.com/instanceType"
ARTIFACTS = "artifacts.ai.sap.com/"
SERVING_MOUNT = "/mnt/models"


@dataclass(frozen=True)
class Port:
    """An artifact that AI Core binds (an input by its name) or registers (an output by its global name)."""

    name: str
    path: str
    kind: str | None


class Facts:
    """A template that fits its schema, read once."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.metadata: Json = document.get("metadata") or {}
        self.spec: Json = document.get("spec") or {}
        self.annotations: dict[str, Any] = self.metadata.get("annotations") or {}
        self.serving = document.get("kind") == "ServingTemplate"
        self._arguments = "inputs" if self.serving else "arguments"

    @property
    def kind(self) -> Literal["training", "batch", "serving"]:
        """Kind of workflow; one that registers result sets and no model is a batch."""
        if self.serving:
            return "serving"
        kinds = {port.kind for port in self.outputs.values()}
        return "batch" if "resultset" in kinds and "model" not in kinds else "training"

    @property
    def parameters_at(self) -> Path:
        """Where the parameters stand."""
        return ("spec", self._arguments, "parameters")

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The parameters that a configuration binds."""
        return listed(self.spec.get(self._arguments), "parameters")

    @property
    def templates(self) -> list[dict[str, Any]]:
        """The templates of a WorkflowTemplate."""
        return listed(self.spec, "templates")

    @property
    def inputs(self) -> dict[str, Port]:
        """Input artifacts that come from outside, by name."""
        if self.serving:
            items = listed(self.spec.get("inputs"), "artifacts")
            return {str(item["name"]): self._port(item["name"], SERVING_MOUNT) for item in items}
        supplied = set(self._supplied())
        found: dict[str, Port] = {}
        for template in self.templates:
            for item in listed(template.get("inputs"), "artifacts"):
                key = str(template.get("name")), str(item.get("name"))
                if key not in supplied and not _has_place(item):
                    found.setdefault(key[1], self._port(key[1], item.get("path")))
        return found

    @property
    def outputs(self) -> dict[str, Port]:
        """Output artifacts that AI Core registers, by global name."""
        found: dict[str, Port] = {}
        for template in self.templates:
            for item in listed(template.get("outputs"), "artifacts"):
                if item.get("globalName"):
                    name = str(item["globalName"])
                    found[name] = self._port(name, item.get("path"))
        return found

    @property
    def runners(self) -> list[tuple[int, dict[str, Any]]]:
        """Templates that run containers, with their places."""
        return [(index, item) for index, item in enumerate(self.templates) if list(containers(item))]

    @property
    def image(self) -> str:
        """The image of most containers; the first of those that are used equally often."""
        images = [str(item.get("image")) for _, found in self.runners for _, item in containers(found)]
        return Counter(images).most_common(1)[0][0] if images else ""

    @property
    def machine(self) -> tuple[str, str] | None:
        """The machine label (key, value) of the first template that has one."""
        return next((found for _, item in self.runners if (found := machine_of(item)) is not None), None)

    @property
    def pull_secrets(self) -> list[str]:
        """Names of the image pull secrets."""
        return [str(item.get("name")) for item in listed(self.spec, "imagePullSecrets")]

    def _port(self, name: object, path: object) -> Port:
        kind = self.annotations.get(f"{ARTIFACTS}{name}.kind")
        return Port(str(name), str(path or ""), kind)

    def _supplied(self) -> Iterator[tuple[str, str]]:
        """(template, artifact) that a step or task hands over."""
        for template in self.templates:
            rows = template.get("steps")
            steps = (
                [step for row in rows if isinstance(row, list) for step in row]
                if isinstance(rows, list)
                else []
            )
            for call in [*steps, *listed(template.get("dag"), "tasks")]:
                for item in listed(call.get("arguments"), "artifacts") if isinstance(call, dict) else ():
                    yield str(call.get("template")), str(item.get("name"))


def containers(template: Json) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every container of a template, and where it stands in it."""
    for key in ("container", "script"):
        if isinstance(template.get(key), dict):
            yield (key,), template[key]
    group = template.get("containerSet")
    for index, item in enumerate(listed(group, "containers")):
        yield ("containerSet", "containers", index), item
    for key in ("initContainers", "sidecars"):
        for index, item in enumerate(listed(template, key)):
            yield (key, index), item


def machine_of(template: Json) -> tuple[str, str] | None:
    """The machine label of a template."""
    metadata = template.get("metadata")
    labels = (metadata.get("labels") if isinstance(metadata, dict) else None) or {}
    return next(((key, str(labels[key])) for key in (PLAN, INSTANCE) if key in labels), None)


def listed(parent: object, key: str) -> list[dict[str, Any]]:
    """The mappings in a list that stands under `key`."""
    items = parent.get(key) if isinstance(parent, Mapping) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _has_place(item: Json) -> bool:
    places = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "raw", "s3")
    return any(item.get(key) is not None for key in places)
