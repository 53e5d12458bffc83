"""Who a template is: name, labels and annotations, the same in a workflow_config and in a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from generator.importing.model import Account
from generator.spec.findings import Findings
from generator.spec.reader import Path
from generator.spec.scalars import spelled
from generator.spec.types import (
    ExecutableId,
    LabelKey,
    LabelValue,
    Line,
    ScenarioId,
    Text,
    Version,
)

SCENARIO = "scenarios.ai.sap.com/id"
VERSION = "ai.sap.com/version"
EXECUTABLE = "executables.ai.sap.com/id"
OWN_PREFIX = "ext.ai.sap.com/"
#: Annotation -> where it stands in a spec (`scenario` or `executable`), key, type.
ANNOTATIONS: Mapping[str, tuple[str, str, Any]] = {
    "scenarios.ai.sap.com/name": ("scenario", "title", Line),
    "scenarios.ai.sap.com/description": ("scenario", "description", Text),
    "executables.ai.sap.com/name": ("executable", "title", Line),
    "executables.ai.sap.com/description": ("executable", "description", Text),
}
_PLACEHOLDER = re.compile(r"<(?:[A-Z][A-Z0-9_ -]*|(?i:your)[^<>]*)>")
_IN_PROSE = re.compile(r"<(?i:your)[^<>]*>")
DEFAULT_VERSION = "0.0.1"


@dataclass(frozen=True)
class Identity:
    """What AI Core tells templates apart by, as far as a spec can say it; the rest is in `other_…`."""

    id: str
    scenario: Mapping[str, Any]
    executable: Mapping[str, Any]
    other_labels: Mapping[str, str]
    other_annotations: Mapping[str, str]

    @property
    def expected(self) -> dict[Path, str]:
        """What a rendered template must hold: path -> value."""
        wanted: dict[Path, str] = {
            ("metadata", "name"): self.id,
            ("metadata", "labels", SCENARIO): self.scenario["name"],
            ("metadata", "labels", VERSION): self.scenario["version"],
        }
        for key, value in self.scenario.get("labels", {}).items():
            wanted["metadata", "labels", key] = value
        for key, (place, field, _) in ANNOTATIONS.items():
            section = self.scenario if place == "scenario" else self.executable
            if field in section:
                wanted["metadata", "annotations", key] = section[field]
        return wanted


class IdentityReader:
    """Reads name, labels and annotations of one file; notes every fault in `findings`."""

    def __init__(self, findings: Findings, account: Account, base: Path = ()) -> None:
        self.findings = findings
        self.account = account
        self.base = base
        self._broken: set[str] = set()

    def read(self, data: Mapping[str, Any], new_name: str | None) -> Identity:
        """`data` holds `name`, `labels` and `annotations` (they stand under `base`)."""
        labels, annotations = self.texts(data, "labels"), self.texts(data, "annotations")
        name = self._name(data, new_name)
        scenario: dict[str, Any] = {"name": self._label(labels, SCENARIO, ScenarioId)}
        executable: dict[str, Any] = {}
        for key, (place, field, kind) in ANNOTATIONS.items():
            if annotations.get(key):
                value = self.checked(annotations.pop(key), kind, ("annotations", key))
                (scenario if place == "scenario" else executable)[field] = value
                self.account.carried(f"annotation {key}", value)
        scenario["version"] = self._version(labels)
        scenario["labels"] = self._own_labels(labels)
        if labels.pop(EXECUTABLE, name) != name:
            reason = "the executable id is the template's name; this label said something else"
            self.account.dropped(f"label {EXECUTABLE}", str(data["labels"][EXECUTABLE]), reason)
        return Identity(name, scenario, executable, labels, annotations)

    def texts(self, data: Mapping[str, Any], key: str) -> dict[str, str]:
        """A mapping of texts; numbers count as they are spelled."""
        section = data.get(key) or {}
        if not isinstance(section, Mapping):
            self._broken.add(key)
            self.note((key,), "wrong-type", "must be a mapping (`key: value` lines)")
            return {}
        result: dict[str, str] = {}
        for word, value in section.items():
            if isinstance(value, dict | list):
                self.note((key, word), "wrong-type", "must be text")
            else:
                result[word] = self.text(value, (key, word))
        return result

    def text(self, value: object, where: Path) -> str:
        """A value as text; a placeholder in it is a finding."""
        plain = spelled(value)
        result = str(plain).lower() if isinstance(plain, bool) else "" if plain is None else str(plain)
        found = (_IN_PROSE if where[:1] == ("annotations",) else _PLACEHOLDER).search(result)
        if found:
            self.note(where, "placeholder", f"`{found[0]}` is a placeholder; put your own value in its place")
        return result

    def checked(self, value: str, kind: Any, where: Path) -> str:
        """The value; what the spec language refuses about it is noted."""
        trouble = misfit(kind, value)
        if trouble and not _PLACEHOLDER.search(value):
            self.note(where, "illegal-value", f"`{value}` {trouble}")
        return value

    def note(self, where: Path, code: str, message: str) -> None:
        """Note a finding at a field below `base`."""
        self.findings.add((*self.base, *where), code, message)

    def _name(self, data: Mapping[str, Any], new_name: str | None) -> str:
        old = self.text(data.get("name"), ("name",)) if new_name is None else str(spelled(data.get("name")))
        name = new_name or old
        if not name or name == "None":
            self.note(("name",), "missing-key", "the name is missing; it becomes the executable id")
            return ""
        trouble = None if _PLACEHOLDER.search(name) else misfit(ExecutableId, name)
        if trouble and new_name is None:
            remedy = f"choose a legal one with `--name {legal_name(name)}`; AI Core will see a new executable"
            self.note(("name",), "illegal-name", f"`{name}` {trouble}; {remedy}")
        elif trouble:
            self.note(("name",), "illegal-name", f"--name: `{name}` {trouble}")
        if new_name and new_name != old:
            reason = "--name; AI Core sees a new executable, configurations of the old one stay with it"
            self.account.changed("executable id", old, name, reason)
        else:
            self.account.carried("executable id", name)
        return name

    def _label(self, labels: dict[str, str], key: str, kind: Any) -> str:
        value = labels.pop(key, "")
        if not value and "labels" in self._broken:
            return ""
        if not value:
            message = f"the label `{key}` is missing; AI Core needs it"
            self.note(("labels",), "missing-key", message)
            return ""
        self.account.carried(f"label {key}", value)
        return self.checked(value, kind, ("labels", key))

    def _version(self, labels: dict[str, str]) -> str:
        if labels.get(VERSION):
            return self._label(labels, VERSION, Version)
        labels.pop(VERSION, None)
        self.account.changed(f"label {VERSION}", "", DEFAULT_VERSION, "AI Core needs a version")
        return DEFAULT_VERSION

    def _own_labels(self, labels: dict[str, str]) -> dict[str, str]:
        own = {key: labels.pop(key) for key in sorted(labels) if key.startswith(OWN_PREFIX)}
        for key, value in own.items():
            trouble = misfit(LabelKey, key)
            if trouble:
                self.note(("labels", key), "illegal-value", f"the key {trouble}")
            self.checked(value, LabelValue, ("labels", key))
            self.account.carried(f"label {key}", value)
        return own


def misfit(kind: Any, value: object) -> str | None:
    """Why a value is none of this type of the spec language; None when it is."""
    try:
        _adapter(kind).validate_python(value)
    except ValidationError as error:
        return error.errors(include_url=False)[0]["msg"].replace("String should", "must")
    return None


@lru_cache(maxsize=32)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def legal_name(name: str) -> str:
    """An executable id like `name`."""
    word = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    word = re.sub(r"^[^a-z]+", "", word)[:63].strip("-")
    return word if len(word) >= 4 else f"{word or 'my'}-template"
