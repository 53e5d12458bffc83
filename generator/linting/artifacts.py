"""Artifacts: what AI Core binds, mounts, registers and keeps (SAP docs, workflow templates)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import get_args

from generator.linting.view import Finding, Part, View, listed, repeated
from generator.spec.document import ArtifactKind
from generator.suggest import did_you_mean

_PREFIX = "artifacts.ai.sap.com/"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_FIELDS = ("kind", "name", "suffix", "description", "labels")


def names(view: View) -> Iterator[Finding]:
    """Names are legal and unique in their template."""
    for template in view.templates:
        for side in ("inputs", "outputs"):
            parts = listed(template.value.get(side) or {}, (*template.where, side), "artifacts")
            for part in parts:
                if not _NAME.fullmatch(str(part.value.get("name") or "")):
                    message = "must be 1 to 63 letters, digits, hyphens and underscores"
                    yield Finding((*part.where, "name"), "artifact-name", message)
            for part in repeated(parts):
                message = f"there already is an artifact `{part.value.get('name')}`"
                yield Finding((*part.where, "name"), "duplicate-artifact", message)


def paths(view: View) -> Iterator[Finding]:
    """Each artifact has an absolute folder of its own in the container."""
    for template in view.templates:
        if not list(view.containers(template)):
            continue
        both = [
            part
            for side in ("inputs", "outputs")
            for part in listed(template.value.get(side) or {}, (*template.where, side), "artifacts")
        ]
        for part in both:
            path = part.value.get("path")
            if not isinstance(path, str) or not path.startswith("/") or posixpath.normpath(path) != path:
                message = "needs an absolute `path` without `..` or a trailing slash"
                yield Finding(part.where, "artifact-path", message)
        for part in repeated([part for part in both if part.value.get("path")], "path"):
            message = f"`{part.value['path']}` already belongs to another artifact"
            yield Finding((*part.where, "path"), "artifact-path", message)


def outputs(view: View) -> Iterator[Finding]:
    """AI Core registers an output only under a global name, and packs it unless told otherwise."""
    for part in view.artifacts("outputs"):
        if not part.value.get("globalName"):
            message = "needs a `globalName`; without it AI Core never registers the artifact"
            yield Finding(part.where, "output-global-name", message)
        if (part.value.get("archive") or {}).get("none") is None:
            message = "needs `archive: {none: {}}`; otherwise it is stored as a tar.gz"
            yield Finding(part.where, "artifact-archive", message)
    for part in repeated(list(view.artifacts("outputs")), "globalName"):
        if part.value.get("globalName"):
            message = f"the global name `{part.value['globalName']}` is already taken"
            yield Finding((*part.where, "globalName"), "output-global-name", message)


def kinds(view: View) -> Iterator[Finding]:
    """Every artifact has a kind, and every artifact annotation has an artifact."""
    annotations = view.mapping("metadata", "annotations")
    bound = {*_names(view.artifacts("inputs"), "name"), *_names(view.artifacts("outputs"), "globalName")}
    legal = get_args(ArtifactKind)
    for name in sorted(bound):
        key = f"{_PREFIX}{name}.kind"
        if annotations.get(key) not in legal:
            message = f"`{key}` must be one of {', '.join(legal)}"
            yield Finding(("metadata", "annotations"), "artifact-kind", message)
    for key in annotations:
        name, _, field = key.removeprefix(_PREFIX).rpartition(".")
        if key.startswith(_PREFIX) and (name not in bound or field not in _FIELDS):
            message = f"names no artifact of the template; {did_you_mean(name, bound)}"
            yield Finding(("metadata", "annotations", key), "artifact-kind", message)


def _names(parts: Iterator[Part], key: str) -> Iterator[str]:
    """Names of artifacts that AI Core sees; one fed `from` another step is internal."""
    return (str(part.value[key]) for part in parts if part.value.get(key) and not part.value.get("from"))


RULES = (names, paths, outputs, kinds)
