"""Names, labels and annotations: by these AI Core finds scenarios and executables (SAP docs, workflow and
serving templates). The rules hold for both kinds of template."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Document, DocumentRule, Finding, Json
from generator.spec.reader import Path
from generator.spec.types import MAX_DESCRIPTION_LENGTH, MAX_TITLE_LENGTH

_EXECUTABLE = re.compile(r"(?=.{4,63}$)[a-z](?:[a-z0-9-]*[a-z0-9])?")
_LABEL_KEY = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?", re.ASCII
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_SCENARIO = re.compile(r"[\w.-]{4,63}", re.ASCII)
_LABELS: Path = ("metadata", "labels")
_ANNOTATIONS: Path = ("metadata", "annotations")


def name(view: Document) -> Iterator[Finding]:
    """`metadata.name` is the executable id, unique in the tenant; the label that looks like it is not."""
    own = str(view.metadata.get("name") or "")
    if not _EXECUTABLE.fullmatch(own):
        message = "must be 4 to 63 lower-case letters, digits and hyphens, beginning with a letter"
        yield Finding(("metadata", "name"), "executable-name", message)
    label = view.labels.get("executables.ai.sap.com/id")
    if label is not None and label != own:
        message = f"is not the executable id, which is `metadata.name`: `{own}`; remove the label"
        yield Finding((*_LABELS, "executables.ai.sap.com/id"), "executable-label", message)


def labels(view: Document) -> Iterator[Finding]:
    """Scenario id and version are mandatory; every label obeys Kubernetes."""
    if not _SCENARIO.fullmatch(str(view.labels.get("scenarios.ai.sap.com/id") or "")):
        message = (
            "`scenarios.ai.sap.com/id` must hold the scenario id: 4 to 63 letters, digits, dots, hyphens"
        )
        yield Finding(_LABELS, "scenario-label", message)
    if not view.labels.get("ai.sap.com/version"):
        message = "`ai.sap.com/version` must hold the version of the executable"
        yield Finding(_LABELS, "version-label", message)
    yield from _legal(view.labels, _LABELS)
    for part in view.inner_labels:
        yield from _legal(part.value, part.where)


def _legal(labels: Json, where: Path) -> Iterator[Finding]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield Finding((*where, key), "label-value", "is no legal label key for Kubernetes")
        elif key == "scenarios.ai.sap.com/id" or (isinstance(value, str) and "{{" in value):
            continue
        elif not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            message = "must be text of at most 63 letters, digits, dots, hyphens and underscores"
            yield Finding((*where, key), "label-value", message)


def descriptions(view: Document) -> Iterator[Finding]:
    """Names for people are mandatory annotations; lengths are those of the AI API."""
    own = view.annotations
    for key in ("scenarios.ai.sap.com/name", "executables.ai.sap.com/name"):
        if not own.get(key):
            yield Finding(_ANNOTATIONS, "name-annotation", f"`{key}` must hold a name for people")
    for key, value in own.items():
        limit = MAX_TITLE_LENGTH if key.endswith("/name") else MAX_DESCRIPTION_LENGTH
        if len(value) > limit:
            yield Finding((*_ANNOTATIONS, key), "annotation-value", f"must have at most {limit} characters")


RULES: tuple[DocumentRule, ...] = (name, labels, descriptions)
