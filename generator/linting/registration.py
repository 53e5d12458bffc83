"""Annotations `artifacts.ai.sap.com/<name>.<field>`: how AI Core registers artifacts (SAP docs, workflow
templates; AI API specification)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from generator.linting.artifacts import bound
from generator.linting.view import Document, Finding, Rule, View
from generator.spec.model import ArtifactKind
from generator.spec.reader import Path
from generator.spec.types import MAX_DESCRIPTION_LENGTH, MAX_TITLE_LENGTH
from generator.suggest import did_you_mean

_PREFIX = "artifacts.ai.sap.com/"
_FIELDS = ("kind", "name", "suffix", "description", "labels")
_KINDS = get_args(ArtifactKind)
_LABEL_KEY = re.compile(r"ext\.ai\.sap\.com/[\w.-]+", re.ASCII)
_TITLE = re.compile(r"[\w\s.!?,;:\[\](){}<>\"'=+*/\\^&%@~$#|-]*", re.ASCII)


def registered(view: View) -> Iterator[Finding]:
    """Artifacts of a WorkflowTemplate have a kind, and what is said of an artifact can be registered."""
    names = bound(view)
    yield from check(view, names)
    for name in sorted(names):
        key = f"{_PREFIX}{name}.kind"
        if key not in view.annotations:
            message = f"`{key}` is missing, and AI Core takes `model` for granted; say which kind it is"
            yield Finding(("metadata", "annotations"), "missing-kind", message)


def check(view: Document, names: Collection[str]) -> Iterator[Finding]:
    """Every artifact annotation belongs to an artifact and holds what the AI API accepts."""
    for key, value in view.annotations.items():
        if not key.startswith(_PREFIX):
            continue
        name, _, field = key.removeprefix(_PREFIX).rpartition(".")
        where = ("metadata", "annotations", key)
        if field not in _FIELDS:
            message = f"`{field}` means nothing; {did_you_mean(field, _FIELDS)}"
            yield Finding(where, "artifact-annotation", message)
        elif name not in names:
            message = f"names no artifact of the template; {did_you_mean(name, names)}"
            yield Finding(where, "artifact-annotation", message)
        elif field == "kind" and value not in _KINDS:
            yield Finding(where, "artifact-kind", f"must be one of {', '.join(_KINDS)}")
        elif field == "labels":
            yield from _labels(where, value)
        elif field == "name" and (not _TITLE.fullmatch(value) or not 0 < len(value) <= MAX_TITLE_LENGTH):
            message = f"must be 1 to {MAX_TITLE_LENGTH} characters that the AI API accepts in artifact names"
            yield Finding(where, "registered-name", message)


def _labels(where: Path, text: str) -> Iterator[Finding]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, Mapping):
        message = 'must be a JSON object: \'{"ext.ai.sap.com/key": "value"}\''
        yield Finding(where, "artifact-labels", message)
        return
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or len(key) > MAX_TITLE_LENGTH:
            message = (
                f"the label `{key}` must begin with `ext.ai.sap.com/` and go on in letters, digits, `._-`"
            )
            yield Finding(where, "artifact-labels", message)
        elif not isinstance(value, str) or len(value) > MAX_DESCRIPTION_LENGTH:
            message = f"the value of `{key}` must be text of at most {MAX_DESCRIPTION_LENGTH} characters"
            yield Finding(where, "artifact-labels", message)


RULES: tuple[Rule, ...] = (registered,)
