"""Artifacts: what AI Core binds, mounts, registers and keeps (SAP docs, workflow templates; Argo's
validation)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import chain

from generator.linting.view import Finding, Part, Rule, View, listed, repeated

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PLACES = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")
_READ = re.compile(r"\{\{\s*(?:steps|tasks)\.[\w-]+\.outputs\.artifacts\.([\w-]+)\s*\}\}")


def names(view: View) -> Iterator[Finding]:
    """Names are legal, and unique among the inputs and among the outputs of a template."""
    for parts in chain(view.inputs, view.outputs):
        for part in parts:
            for key in ("name", "globalName"):
                if key in part.value and not _NAME.fullmatch(str(part.value[key] or "")):
                    message = "must be 1 to 256 letters, digits, hyphens and underscores"
                    yield Finding((*part.where, key), "artifact-name", message)
        for part in repeated(parts):
            message = f"there already is an artifact `{part.name}`"
            yield Finding((*part.where, "name"), "duplicate-artifact", message)


def paths(view: View) -> Iterator[Finding]:
    """Each artifact has an absolute place of its own in the container."""
    for inputs, outputs, containers in zip(view.inputs, view.outputs, view.containers_of, strict=True):
        if not containers or not (inputs or outputs):
            continue
        for part in chain(inputs, outputs):
            yield from _path(part)
        taken = {
            mount.value.get("mountPath")
            for container in containers[:1]
            for mount in listed(container.value, (), "volumeMounts")
        }
        for part in inputs:
            path = part.value.get("path")
            if path and path in taken:
                message = f"`{path}` already holds another artifact or a volume"
                yield Finding((*part.where, "path"), "path-conflict", message)
            taken.add(path)
        read = {part.value.get("path") for part in inputs}
        written: set[object] = set()
        for part in outputs:
            path = part.value.get("path")
            if path and (path in read or path in written):
                message = f"`{path}` is the place of another artifact too; what is read and written would mix"
                yield Finding((*part.where, "path"), "shared-path", message)
            written.add(path)


def _path(part: Part) -> Iterator[Finding]:
    path = part.value.get("path")
    if isinstance(path, str) and "{{" in path:
        return
    bare = path.rstrip("/") if isinstance(path, str) else ""
    if not bare.startswith("/") or posixpath.normpath(bare) != bare:
        yield Finding(part.where, "artifact-path", "needs an absolute `path` without `..`")
    elif bare != path:
        message = f"write `{bare}`: a path with a trailing slash is another spelling of it"
        yield Finding((*part.where, "path"), "trailing-slash", message)


def inputs_from(view: View) -> Iterator[Finding]:
    """Argo hands an artifact over in the arguments of a step; it refuses `from` among a template's inputs."""
    for part in chain.from_iterable(view.inputs):
        if part.value.get("from") or part.value.get("fromExpression"):
            message = "stands in `arguments.artifacts` of the step that calls the template, not here"
            yield Finding((*part.where, "from"), "input-from", message)


def outputs(view: View) -> Iterator[Finding]:
    """AI Core registers an output only under a global name, keeps it in the store `default`, and packs it
    unless told otherwise."""
    everything = list(chain.from_iterable(view.outputs))
    read = {name for item in view.texts for name in _READ.findall(item.text)} if everything else set()
    for part in everything:
        if not part.value.get("globalName") and part.name not in read:
            message = "needs a `globalName`; without it AI Core never registers the artifact"
            yield Finding(part.where, "output-global-name", message)
        if part.value.get("globalName") and (part.value.get("archive") or {}).get("none") is None:
            message = "needs `archive: {none: {}}`; otherwise it is stored as a tar.gz"
            yield Finding(part.where, "artifact-archive", message)
        places = [key for key in _PLACES if part.value.get(key) is not None]
        if places:
            message = "AI Core registers outputs in the object store `default` only; remove it"
            yield Finding((*part.where, places[0]), "output-location", message)
    for part in repeated((part for part in everything if part.value.get("globalName")), "globalName"):
        message = f"the global name `{part.value['globalName']}` is already taken; the later one wins"
        yield Finding((*part.where, "globalName"), "duplicate-global-name", message)


def bound(view: View) -> set[str]:
    """Artifacts that AI Core sees: inputs by name, outputs by global name. What one step hands to another is
    internal."""
    inside = {
        part.name
        for template, parts in zip(view.templates, view.inputs, strict=True)
        for part in parts
        if (template.name, part.name) not in view.supplied
        and not any(part.value.get(key) is not None for key in _PLACES)
    }
    outside = {str(part.value.get("globalName") or "") for part in chain.from_iterable(view.outputs)}
    return (inside | outside) - {""}


RULES: tuple[Rule, ...] = (names, paths, inputs_from, outputs)
