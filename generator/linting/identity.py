"""Names, labels and annotations: by these AI Core finds scenarios and executables (SAP docs, workflow
templates)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Finding, Json, View
from generator.spec.reader import Path
from generator.spec.types import MAX_DESCRIPTION_LENGTH, MAX_TITLE_LENGTH

_EXECUTABLE = re.compile(r"(?=.{4,63}$)[a-z](?:[a-z0-9-]*[a-z0-9])?")
_LABEL_KEY = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_SCENARIO = re.compile(r"[\w.-]{4,63}")


def name(view: View) -> Iterator[Finding]:
    """`metadata.name` is the executable id, unique in the tenant."""
    if not _EXECUTABLE.fullmatch(str(view.metadata.get("name") or "")):
        message = "must be 4 to 63 lower-case letters, digits and hyphens, beginning with a letter"
        yield Finding(("metadata", "name"), "executable-name", message)


def labels(view: View) -> Iterator[Finding]:
    """Scenario id and version are mandatory; every label obeys Kubernetes."""
    own = view.mapping("metadata", "labels")
    where: Path = ("metadata", "labels")
    if not _SCENARIO.fullmatch(str(own.get("scenarios.ai.sap.com/id") or "")):
        message = (
            "`scenarios.ai.sap.com/id` must hold the scenario id: 4 to 63 letters, digits, dots, hyphens"
        )
        yield Finding(where, "scenario-label", message)
    if not own.get("ai.sap.com/version"):
        yield Finding(where, "version-label", "`ai.sap.com/version` must hold the version of the executable")
    yield from _legal_labels(own, where)
    for template in view.templates:
        below = (template.value.get("metadata") or {}).get("labels") or {}
        yield from _legal_labels(below, (*template.where, "metadata", "labels"))


def _legal_labels(labels: Json, where: Path) -> Iterator[Finding]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield Finding((*where, key), "label-value", "is no legal label key for Kubernetes")
        elif not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            message = "must be text of at most 63 letters, digits, dots, hyphens and underscores"
            yield Finding((*where, key), "label-value", message)


def descriptions(view: View) -> Iterator[Finding]:
    """Names for people are mandatory annotations; lengths are those of the AI API."""
    own = view.mapping("metadata", "annotations")
    where: Path = ("metadata", "annotations")
    for key in ("scenarios.ai.sap.com/name", "executables.ai.sap.com/name"):
        if not own.get(key):
            yield Finding(where, "name-annotation", f"`{key}` must hold a name for people")
    for key, value in own.items():
        limit = MAX_TITLE_LENGTH if key.endswith("/name") else MAX_DESCRIPTION_LENGTH
        if not isinstance(value, str) or len(value) > limit:
            yield Finding((*where, key), "annotation-value", f"must be text of at most {limit} characters")


RULES = (name, labels, descriptions)
