"""A WorkflowTemplate as the rules see it: its parts with the path at which each stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from generator.spec.reader import Path

Json = Mapping[str, Any]


class Finding(NamedTuple):
    """What a rule found: where, which rule, and what to do."""

    where: Path
    code: str
    message: str


class Part(NamedTuple):
    """A part of the document and where it stands."""

    where: Path
    value: Json


Rule = Callable[["View"], Iterator[Finding]]


@dataclass(frozen=True)
class View:
    """Access to a document that already fits the schema of a WorkflowTemplate."""

    document: Json

    @property
    def metadata(self) -> Json:
        """`metadata`, empty when absent."""
        return self.document.get("metadata") or {}

    @property
    def spec(self) -> Json:
        """`spec`, empty when absent."""
        return self.document.get("spec") or {}

    def mapping(self, *steps: str) -> Json:
        """A mapping below the document, empty when absent."""
        value: Any = self.document
        for step in steps:
            value = (value or {}).get(step)
        return value or {}

    @property
    def parameters(self) -> list[Part]:
        """The parameters that a configuration binds."""
        return listed(self.mapping("spec", "arguments"), ("spec", "arguments"), "parameters")

    @property
    def templates(self) -> list[Part]:
        """The templates."""
        return listed(self.spec, ("spec",), "templates")

    def calls(self, template: Part) -> Iterator[Part]:
        """Steps and DAG tasks of a template."""
        for row, group in enumerate(template.value.get("steps") or []):
            for column, step in enumerate(group):
                yield Part((*template.where, "steps", row, column), step)
        yield from listed(template.value.get("dag") or {}, (*template.where, "dag"), "tasks")

    def containers(self, template: Part) -> Iterator[Part]:
        """Every container of a template: the main one, sets, sidecars, init containers and scripts."""
        for key in ("container", "script"):
            if template.value.get(key):
                yield Part((*template.where, key), template.value[key])
        group = template.value.get("containerSet") or {}
        yield from listed(group, (*template.where, "containerSet"), "containers")
        for key in ("sidecars", "initContainers"):
            yield from listed(template.value, template.where, key)

    def artifacts(self, side: str) -> Iterator[Part]:
        """Artifacts of all templates; `side` is `inputs` or `outputs`."""
        for template in self.templates:
            yield from listed(template.value.get(side) or {}, (*template.where, side), "artifacts")


def listed(parent: Json, where: Path, key: str) -> list[Part]:
    """The mappings in a list, each with its path."""
    items = parent.get(key) or []
    return [Part((*where, key, index), item) for index, item in enumerate(items) if isinstance(item, Mapping)]


def repeated(parts: list[Part], key: str = "name") -> Iterator[Part]:
    """Parts whose name an earlier part already bears."""
    seen: set[object] = set()
    for part in parts:
        name = part.value.get(key)
        if name in seen:
            yield part
        seen.add(name)


def texts(value: Any, where: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text below a value, with its path."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*where, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*where, index))
