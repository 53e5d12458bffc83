"""Images into registries. The docker SDK never raises for a push that failed: its stream tells."""

from __future__ import annotations

from docker.errors import APIError

from generator.images.engine import Engine, Line, reachable
from generator.images.errors import ImageMissingError, RegistryUnavailableError
from generator.images.events import ImageEvent, ImageEventKind, Listener, layer_event, silent
from generator.images.registry import Credentials, registry_error

__all__ = ["push_image"]

_ABSENT = "does not exist locally"


def push_image(
    engine: Engine, reference: str, credentials: Credentials | None = None, listener: Listener = silent
) -> str:
    """Push `host/name:tag` and return the digest of its manifest: `sha256:…`.

    The credentials go with this call and are kept nowhere. Raises ImageMissingError, UnauthorizedError,
    RegistryUnavailableError or EngineUnavailableError.
    """
    digest = ""
    try:
        with reachable():
            auth = credentials.auth() if credentials else None
            for line in engine.push(reference, stream=True, decode=True, auth_config=auth):
                digest = _read(reference, line, listener) or digest
    except APIError as error:
        raise registry_error(reference, error.explanation or str(error)) from None
    if not digest:
        raise RegistryUnavailableError(
            f"the push of {reference} ended without a digest", remedy="Push again.", transient=True
        )
    listener(ImageEvent(ImageEventKind.DONE, reference, digest))
    return digest


def _read(reference: str, line: Line, listener: Listener) -> str:
    """Report one line of the stream; the digest when the line holds it, else nothing."""
    if "error" in line:
        reason = str(line["error"])
        if _ABSENT in reason:
            raise ImageMissingError(
                f"there is no image {reference} here to push", remedy="Build it: `corespec image build`."
            )
        raise registry_error(reference, reason)
    if "id" in line:
        listener(layer_event(reference, line))
    return str((line.get("aux") or {}).get("Digest", ""))
