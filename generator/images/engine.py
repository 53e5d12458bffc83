"""The Docker engine, as far as images need it.

The low-level client of the docker SDK is used: its streams can be shown while they run, and credentials go
with one call, where `login()` would keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol

from generator.images.errors import CredentialStoreError, EngineUnavailableError

__all__ = ["connect"]

#: Seconds until the engine must have said that it is there.
CONNECT_SECONDS = 10
#: Seconds without a word after which a push or a look at a registry is given up; large layers take long.
SILENCE_SECONDS = 600

Line = Mapping[str, Any]
Auth = Mapping[str, str]


class Engine(Protocol):
    """The calls of `docker.APIClient` that are made here."""

    def build(
        self,
        *,
        fileobj: IO[bytes],
        custom_context: bool,
        decode: bool,
        tag: str,
        rm: bool,
        forcerm: bool,
        pull: bool,
        nocache: bool,
        platform: str,
        buildargs: dict[str, str],
        labels: dict[str, str],
    ) -> Iterable[Line]:
        """Build an image; the answer is a stream of progress and failure."""

    def push(
        self, repository: str, *, stream: bool, decode: bool, auth_config: Auth | None
    ) -> Iterable[Line]:
        """Push an image; the answer is a stream of progress and failure."""

    def pull(
        self, repository: str, *, stream: bool, decode: bool, auth_config: Auth | None, platform: str
    ) -> Iterable[Line]:
        """Pull an image; the answer is a stream of progress and failure."""

    def inspect_image(self, image: str) -> Mapping[str, Any]:
        """What the engine knows about an image that it holds."""

    def inspect_distribution(self, image: str, auth_config: Auth | None = None) -> Mapping[str, Any]:
        """What a registry says about a tag."""


def connect() -> Any:
    """The engine of this machine, or the one that DOCKER_HOST names: a `docker.APIClient`.

    Raises EngineUnavailableError.
    """
    import docker
    from docker.utils import kwargs_from_env

    with reachable():
        client = docker.APIClient(version="auto", timeout=CONNECT_SECONDS, **kwargs_from_env())
        client.ping()
    client.timeout = SILENCE_SECONDS
    return client


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the many ways in which an engine can be away into EngineUnavailableError.

    An answer of the engine (`docker.errors.APIError`) passes through. A credential helper that fails before
    anything is sent becomes CredentialStoreError.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError:
        raise
    except (DockerException, RequestException, HTTPError) as error:
        if str(error).startswith("Credentials store error"):  # the SDK has no class of its own for it
            raise CredentialStoreError(_reason(error)) from None
        raise EngineUnavailableError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """The innermost cause: the layers above it repeat it with more brackets."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(getattr(error, "strerror", None) or error)
