"""Rules over all templates that one tenant holds (SAP docs: miscellaneous, list scenarios, quotas)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from generator.linting.view import Finding

QUOTA = 50  # SAP docs, workflow templates and serving templates: each
_TEXTS = ("scenarios.ai.sap.com/name", "scenarios.ai.sap.com/description")


class Member(NamedTuple):
    """One document of the tenant: the file it stands in, and what it holds."""

    path: str
    document: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`WorkflowTemplate` or `ServingTemplate`."""
        return str(self.document.get("kind"))

    @property
    def id(self) -> str:
        """The executable id, empty when it has none."""
        return str(self._metadata.get("name") or "")

    @property
    def scenario(self) -> str:
        """The scenario id, empty when it has none."""
        return str(_mapping(self._metadata, "labels").get("scenarios.ai.sap.com/id") or "")

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Annotations of the document."""
        return _mapping(self._metadata, "annotations")

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return _mapping(self.document, "metadata")


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    below = value.get(key)
    return below if isinstance(below, Mapping) else {}


def tenant_findings(members: Iterable[Member]) -> Iterator[tuple[int, Finding]]:
    """Findings over all documents, each with the index of the document that it stands in."""
    everything = list(members)
    yield from _ids(everything)
    yield from _scenarios(everything)
    for kind in ("WorkflowTemplate", "ServingTemplate"):
        places = [index for index, member in enumerate(everything) if member.kind == kind]
        if len(places) > QUOTA:
            message = f"is one of {len(places)}; a tenant holds {QUOTA} {kind}s unless SAP raised its quota"
            yield places[QUOTA], Finding(("kind",), "quota", message)


def _ids(members: list[Member]) -> Iterator[tuple[int, Finding]]:
    seen: dict[str, str] = {}
    for index, member in enumerate(members):
        if member.id in seen:
            message = f"`{member.id}` is already taken in {seen[member.id]}; ids are unique in the tenant"
            yield index, Finding(("metadata", "name"), "duplicate-executable", message)
        elif member.id:
            seen[member.id] = member.path


def _scenarios(members: list[Member]) -> Iterator[tuple[int, Finding]]:
    """A scenario is visible through a WorkflowTemplate, and all its templates tell the same of it."""
    visible = {member.scenario for member in members if member.kind == "WorkflowTemplate"}
    told: dict[tuple[str, str], tuple[object, str]] = {}
    for index, member in enumerate(members):
        if not member.scenario:
            continue
        if member.scenario not in visible:
            message = f"AI Core shows scenario `{member.scenario}` only once it has a WorkflowTemplate too"
            yield index, Finding(("metadata", "labels"), "invisible-scenario", message)
            visible.add(member.scenario)
        for key in _TEXTS:
            text = member.annotations.get(key)
            first, path = told.setdefault((member.scenario, key), (text, member.path))
            if text != first and text is not None and first is not None:
                message = f"differs from the one in {path}; AI Core shows one of them"
                yield index, Finding(("metadata", "annotations", key), "scenario-text", message)
