"""What a registry has behind a tag, and what its refusals mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from docker.errors import APIError, NotFound

from generator.images.engine import Auth, Engine, reachable
from generator.images.errors import (
    RegistryError,
    RegistryUnavailableError,
    TagNotFoundError,
    UnauthorizedError,
)
from generator.spec.environment import Docker

__all__ = ["Credentials", "credentials_for", "remote_digest"]

# Registries say it in words: the engine passes these on, and its own status codes do not tell them apart.
_REFUSED = re.compile(
    r"unauthorized|authentication required|no basic auth credentials|denied|forbidden|incorrect username",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Credentials:
    """User and password (or token) of one registry."""

    username: str
    password: str = field(repr=False)

    def auth(self) -> Auth:
        """As the engine takes it, with one call."""
        return {"username": self.username, "password": self.password}


def host(reference: str) -> str:
    """The registry of an image reference or of a registry with its namespace."""
    return reference.partition("/")[0]


def credentials_for(reference: str, docker: Docker | None, root: Path) -> Credentials | None:
    """The environment's credentials when the image lies in its registry; never those of one host for another.

    None leaves it to the engine's own configuration (`docker login`). Raises ReferenceUnavailableError.
    """
    if docker is None or docker.username is None or docker.password is None:
        return None
    if host(reference) != host(docker.registry.resolve()):
        return None
    return Credentials(docker.username.resolve(root), docker.password.resolve(root))


def remote_digest(engine: Engine, reference: str, credentials: Credentials | None = None) -> str:
    """Digest of the manifest behind `host/name:tag`, as the registry has it now: `sha256:…`.

    Raises TagNotFoundError, UnauthorizedError, RegistryUnavailableError or EngineUnavailableError.
    """
    try:
        with reachable():
            answer = engine.inspect_distribution(reference, credentials.auth() if credentials else None)
    except NotFound:
        raise TagNotFoundError(
            f"{host(reference)} has no {reference}",
            remedy="Push it first (`corespec image push`), or correct `image` in the spec.",
        ) from None
    except APIError as error:
        raise registry_error(reference, error.explanation or str(error)) from None
    return str(answer["Descriptor"]["digest"])


def registry_error(reference: str, reason: str) -> RegistryError:
    """The error that a registry's or the engine's words stand for."""
    if _REFUSED.search(reason):
        return UnauthorizedError(
            f"{host(reference)} refuses {reference}: {reason}",
            remedy="Check what docker.username and docker.password of the environment refer to, and that "
            "this user may read and write there.",
        )
    return RegistryUnavailableError(
        f"{host(reference)} failed for {reference}: {reason}",
        remedy="Try again; if it stays, check the registry's name, its certificate and the way to it.",
        transient=True,
    )
