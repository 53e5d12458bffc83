"""Which images an environment's executables need, and what each is built from and labelled with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from generator.errors import RepositoryError
from generator.fingerprint import digest
from generator.images.errors import ImageError
from generator.images.recipe import image_files
from generator.render import image_path
from generator.repository import GitRepository
from generator.spec.resolve import Resolved, ResolvedExecutable
from generator.spec.types import IMAGE
from generator.suggest import did_you_mean

__all__ = ["Target", "TargetError", "lockable", "targets"]

SPEC_DIGEST = "dev.corespec.spec-digest"


class TargetError(ImageError):
    """An executable that was asked for has no image that can be built, pushed or locked here."""


@dataclass(frozen=True)
class Target:
    """One image to build: `reference` is host/name:tag, `recipe` what is rendered for it (path -> content).

    `executables` are the ids of all that run it; `executable` is the first of them.
    """

    reference: str
    executable: ResolvedExecutable
    executables: tuple[str, ...]
    recipe: Mapping[str, bytes]


def targets(resolved: Resolved, names: Sequence[str] = ()) -> list[Target]:
    """The images of the executables that are named, or of all that are built here, sorted by reference.

    Raises TargetError for a name that is unknown, pinned by a digest or built elsewhere, and for executables
    that share a tag and need different packages; InputError when a text of a workflow cannot be filled.
    """
    found: dict[str, list[ResolvedExecutable]] = {}
    for executable in _chosen(resolved, names):
        reason = _not_built_here(executable)
        if reason is None:
            found.setdefault(executable.image_reference, []).append(executable)
        elif names:
            raise TargetError(f"{executable.id} has no image to build: {reason[0]}", remedy=reason[1])
    return [_target(resolved, reference, found[reference]) for reference in sorted(found)]


def lockable(resolved: Resolved, names: Sequence[str] = ()) -> list[str]:
    """References (host/name:tag) whose digest can be locked, sorted: all but those that a spec pins."""
    return sorted({item.image_reference for item in _chosen(resolved, names) if not _pinned(item)})


def labels(executable: ResolvedExecutable, revision: str | None, source: str | None) -> dict[str, str]:
    """OCI labels of an image: what it is, and from which commit and spec it came.

    There is no date among them: the same input gives the same labels. Build arguments never become labels.
    """
    metadata = executable.scenario.metadata
    known = {
        "org.opencontainers.image.title": executable.id,
        "org.opencontainers.image.version": metadata.version,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.source": source,
        SPEC_DIGEST: spec_digest(executable),
    }
    return {name: value for name, value in known.items() if value}


def spec_digest(executable: ResolvedExecutable) -> str:
    """Digest of what the specs say about an executable, overrides included: `sha256:…`."""
    value = {
        "scenario": executable.scenario.metadata.model_dump(mode="json", by_alias=True),
        "executable": executable.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }
    return f"sha256:{digest('executable', value)}"


def revision_of(repository: GitRepository | None) -> str | None:
    """The commit that is checked out, with `-dirty` where specs/ or rendered/ differ; None without one."""
    if repository is None:
        return None
    try:
        return repository.head() + ("" if repository.is_clean(["specs", "rendered"]) else "-dirty")
    except RepositoryError:
        return None


def source_of(url: str | None) -> str | None:
    """The address of a repository as a label may tell it: on the web, without user, password or query."""
    parts = urlsplit(url or "")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{re.sub(r'[.]git$', '', parts.path)}"


def _chosen(resolved: Resolved, names: Sequence[str]) -> list[ResolvedExecutable]:
    known = {item.id: item for item in resolved.executables}
    for name in names:
        if name not in known:
            raise TargetError(
                f"there is no executable `{name}` in environment `{resolved.environment.metadata.name}`",
                remedy=did_you_mean(name, known),
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _pinned(executable: ResolvedExecutable) -> bool:
    return "@" in executable.spec.image


def _not_built_here(executable: ResolvedExecutable) -> tuple[str, str] | None:
    """Why an image is not built here, and what to do about it; None when it is."""
    if _pinned(executable):
        return (
            "its spec pins a digest",
            "Write `host/name:tag` in the spec; images.lock.yaml keeps the digest.",
        )
    match = IMAGE.fullmatch(executable.image_reference)
    if match is None or not match["tag"]:
        return "it has no tag", "Write `host/name:tag` in the spec."
    if not executable.workflow.builds_image:
        name = executable.workflow.name
        return f"workflow `{name}` has no Dockerfile", "Build it where its Dockerfile is, and lock it here."
    return None


def _target(resolved: Resolved, reference: str, sharing: Sequence[ResolvedExecutable]) -> Target:
    environment = resolved.environment.metadata.name
    recipes = [image_files(item, image_path(environment, item.id)) for item in sharing]
    packages = {content for files in recipes for path, content in files.items() if path.endswith(".txt")}
    names = tuple(item.id for item in sharing)
    if len(packages) > 1:
        raise TargetError(
            f"{' and '.join(names)} share {reference}, and need different packages",
            remedy="Give each an image name or a tag of its own.",
        )
    return Target(reference, sharing[0], names, recipes[0])
