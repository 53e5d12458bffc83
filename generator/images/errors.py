"""What can go wrong with images. Every message ends with what to do next; none holds a credential.

`transient` is true where the same call may succeed later: the engine or a registry was away.
"""

from __future__ import annotations

from generator.errors import GeneratorError

__all__ = [
    "BuildError",
    "ContextError",
    "EngineUnavailableError",
    "ImageError",
    "ImageMissingError",
    "RegistryError",
    "RegistryUnavailableError",
    "TagNotFoundError",
    "UnauthorizedError",
]


class ImageError(GeneratorError):
    """Anything about building, pushing or locking an image."""

    def __init__(self, message: str, *, remedy: str, transient: bool = False) -> None:
        self.transient = transient
        self.remedy = remedy
        super().__init__(f"{message}\n  {remedy}")


class EngineUnavailableError(ImageError):
    """No Docker engine answers."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"no Docker engine answers ({reason})",
            remedy="Start it (`systemctl start docker`, or Docker Desktop), install it "
            "(`apt-get install docker.io`), or name another machine's with DOCKER_HOST.",
            transient=True,
        )


class CredentialStoreError(ImageError):
    """The program that keeps Docker's credentials fails."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Docker's credential store fails ({reason})",
            remedy="Correct `credsStore` or `credHelpers` in Docker's config.json, or give the environment "
            "docker.username and docker.password.",
        )


class ContextError(ImageError):
    """The build context cannot be put together."""


class BuildError(ImageError):
    """The engine could not build the image. `log` holds the last lines that it printed."""

    def __init__(
        self, message: str, *, log: tuple[str, ...] = (), remedy: str, transient: bool = False
    ) -> None:
        self.log = log
        shown = "".join(f"\n  | {line}" for line in log)
        super().__init__(f"{message}{shown}", remedy=remedy, transient=transient)


class ImageMissingError(ImageError):
    """The engine does not hold the image that is to be pushed."""


class RegistryError(ImageError):
    """A registry refused or failed; the classes below say which."""


class UnauthorizedError(RegistryError):
    """The registry wants other credentials than it was given."""


class TagNotFoundError(RegistryError):
    """The registry answers, and has no such tag."""


class RegistryUnavailableError(RegistryError):
    """The registry cannot be reached, or fails on its own side."""
