"""Volumes and claims: `volumeClaimTemplates` are AI Core's way to more disk (SAP docs, workflow templates);
the rest is Kubernetes and Argo."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.linting.view import Finding, Part, Rule, View, listed
from generator.suggest import did_you_mean

_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[kMGTPE]|[KMGTPE]i)?|.*\{\{.*")


def volumes(view: View) -> Iterator[Finding]:
    """Volumes have names of their own, mounts name one of them, and none lies there for nothing."""
    shared = [*_claims(view), *listed(view.spec, ("spec",), "volumes")]
    yield from _repeated(shared)
    mounted: set[str] = set()
    for template, containers in zip(view.templates, view.containers_of, strict=True):
        own = listed(template.value, template.where, "volumes")
        yield from _repeated(own)
        names = {_name(part) for part in (*shared, *own)}
        used: set[str] = set()
        for container in containers:
            for part in listed(container.value, container.where, "volumeMounts"):
                used.add(part.name)
                if part.name not in names:
                    message = f"names no volume; {did_you_mean(part.name, names)}"
                    yield Finding((*part.where, "name"), "volume-mount", message)
        mounted |= used
        yield from _unused(own, used)
    yield from _unused(shared, mounted)


def mounts(view: View) -> Iterator[Finding]:
    """Each mount has a path of its own in its container."""
    for container in view.containers:
        taken: set[str] = set()
        for part in listed(container.value, container.where, "volumeMounts"):
            path = str(part.value.get("mountPath") or "")
            where = (*part.where, "mountPath")
            if path in taken or not path:
                message = f"`{path}` already holds another volume" if path else "needs the path of a folder"
                yield Finding(where, "mount-path", message)
            elif not path.startswith("/") and "{{" not in path:
                yield Finding(where, "relative-mount", f"write `/{path}`: a relative path begins at the root")
            taken.add(path)


def claims(view: View) -> Iterator[Finding]:
    """A claim says how it is accessed and how large it is."""
    for part in _claims(view):
        spec = part.value.get("spec") or {}
        size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
        if not _name(part) or not spec.get("accessModes") or not _QUANTITY.fullmatch(str(size or "")):
            message = (
                "needs `metadata.name`, `spec.accessModes` and `spec.resources.requests.storage`, as 10Gi"
            )
            yield Finding(part.where, "volume-claim", message)


def _claims(view: View) -> list[Part]:
    return listed(view.spec, ("spec",), "volumeClaimTemplates")


def _name(part: Part) -> str:
    return part.name or str((part.value.get("metadata") or {}).get("name") or "")


def _repeated(parts: list[Part]) -> Iterator[Finding]:
    seen: set[str] = set()
    for part in parts:
        if _name(part) in seen:
            yield Finding(part.where, "duplicate-volume", f"there already is a volume `{_name(part)}`")
        seen.add(_name(part))


def _unused(parts: list[Part], used: set[str]) -> Iterator[Finding]:
    for part in parts:
        if _name(part) and _name(part) not in used:
            yield Finding(part.where, "unused-volume", f"no container mounts `{_name(part)}`")


RULES: tuple[Rule, ...] = (volumes, mounts, claims)
