"""Base images that only a password opens: the builder is given none, so they are pulled before."""

from __future__ import annotations

from docker.errors import APIError, ImageNotFound

from generator.images.engine import Engine, reachable
from generator.images.events import Listener, layer_event, silent
from generator.images.registry import Credentials, registry_error


def fetch_base(
    engine: Engine,
    base: str,
    credentials: Credentials,
    platform: str,
    *,
    always: bool = False,
    listener: Listener = silent,
) -> None:
    """Pull a base image with the credentials of its registry, when the engine does not hold it, or `always`.

    Raises UnauthorizedError, RegistryUnavailableError or EngineUnavailableError.
    """
    if not always and _held(engine, base):
        return
    try:
        with reachable():
            for line in engine.pull(
                base, stream=True, decode=True, auth_config=credentials.auth(), platform=platform
            ):
                if "error" in line:
                    raise registry_error(base, str(line["error"]))
                listener(layer_event(base, line))
    except APIError as error:
        raise registry_error(base, error.explanation or str(error)) from None


def _held(engine: Engine, image: str) -> bool:
    try:
        with reachable():
            engine.inspect_image(image)
    except ImageNotFound:
        return False
    return True
