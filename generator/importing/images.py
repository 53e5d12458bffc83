"""Image references as Docker reads them, and as specs write them."""

from __future__ import annotations

from generator.spec.types import image_problem

DOCKER_HUB = "docker.io"


def has_host(image: str) -> bool:
    """Whether the first part of a reference is a registry host: Docker's own rule."""
    host, slash, _ = image.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")


def complete(image: str) -> str:
    """The reference with the host (and, for a word alone, the folder) that Docker puts before it."""
    if has_host(image):
        return image
    return f"{DOCKER_HUB}/{image}" if "/" in image else f"{DOCKER_HUB}/library/{image}"


def problem(image: str) -> str | None:
    """Why a completed reference cannot stand in a spec, with the remedy; None when it can."""
    found = image_problem(complete(image))
    if found is None:
        return None
    if found[0] == "image_unpinned" and not image.endswith(":latest"):
        return "has no tag, so Docker means `latest`, which moves; add the version that was built: `:0.0.1`"
    return found[1]
