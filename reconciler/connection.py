"""From an environment to a client of the official SDK.

A service key is handed to the SDK as arguments: never through os.environ, where child processes would
inherit it, and where a key of another place would silently win over the profile that the environment names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.credentials import init_conf

from generator.errors import ReferenceUnavailableError
from generator.spec.environment import Environment
from reconciler.aicore import AICore, AICoreWriter
from reconciler.clock import Clock
from reconciler.errors import AuthenticationError
from reconciler.guarded import Guarded
from reconciler.transport import Transport

_TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path of a URL
_CONNECT_SECONDS = 15
_READ_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Credentials:
    """Arguments of the SDK's client; they do not appear in `repr`."""

    base_url: str
    arguments: Mapping[str, str] = field(repr=False)


def connect(
    environment: Environment,
    root: Path,
    clock: Clock | None = None,
    *,
    before_write: Callable[[], None] | None = None,
) -> AICoreWriter:
    """A port that may write. Raises AuthenticationError when credentials are missing or unreadable.

    No request is sent yet; wrong credentials show at the first call, as AuthenticationError too.
    `before_write` is called before every request that changes something, repeated ones too, and keeps it
    from being sent by raising.
    """
    pipe = _transport(environment, root)
    return AICoreWriter(Guarded(pipe, before_write) if before_write else pipe, clock)


def connect_readonly(environment: Environment, root: Path, clock: Clock | None = None) -> AICore:
    """A port that can only read."""
    return AICore(_transport(environment, root), clock)


def _transport(environment: Environment, root: Path) -> Transport:
    found = credentials(environment, root)
    client = AICoreV2Client(
        base_url=found.base_url,
        resource_group=environment.resource_group,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        **found.arguments,
    )
    return Transport(client.rest_client)


def credentials(environment: Environment, root: Path) -> Credentials:
    """Find the credentials that the environment points to."""
    place = environment.ai_core
    if place.connection == "local":
        return _local(root / (place.data or ""))
    if place.connection == "profile":
        return _profile(place.profile or "default")
    try:
        text = place.service_key.resolve(root) if place.service_key else ""
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"aiCore.serviceKey: {error}") from None
    return from_service_key(text, f"the service key of {place.service_key}")


def _local(data: Path) -> Credentials:
    file = data / "service-key.json"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise AuthenticationError(
            f"The local AI Core has left no service key at {file} ({error.strerror}).",
            remedy="Start it with: corespec local up",
        ) from None
    return from_service_key(text, str(file))


def _profile(name: str) -> Credentials:
    try:
        config = init_conf(None if name == "default" else name)
    except (KeyError, FileNotFoundError) as error:
        raise AuthenticationError(
            f"Profile {name!r} of the SAP AI SDK cannot be read: {error}",
            remedy="Create it with: aicore configure -p " + name,
        ) from None
    values = {key.lower().removeprefix("aicore_"): str(value) for key, value in config.items() if value}
    values.pop("resource_group", None)  # the environment decides
    missing = [key for key in ("base_url", "auth_url", "client_id") if key not in values]
    if missing:
        raise AuthenticationError(
            f"Profile {name!r} of the SAP AI SDK lacks {', '.join(missing)}.",
            remedy="Complete it with: aicore configure -p " + name,
        )
    return _arguments(values)


def from_service_key(text: str, where: str) -> Credentials:
    """Read a service key's JSON; `where` names it in errors, its content never does."""
    try:
        key = json.loads(text)
        values = {
            "base_url": key["serviceurls"]["AI_API_URL"],
            "auth_url": key["certurl"] if key.get("certificate") else key["url"],
            "client_id": key["clientid"],
            "client_secret": key.get("clientsecret"),
            "cert_str": key.get("certificate"),
            "key_str": key.get("key"),
        }
    except ValueError:
        raise AuthenticationError(
            f"{where} is not JSON.", remedy="Save the service key as SAP BTP shows it."
        ) from None
    except (KeyError, TypeError) as error:
        raise AuthenticationError(
            f"{where} lacks the field {error}.", remedy="Save the service key as SAP BTP shows it."
        ) from None
    if values["cert_str"]:
        values["client_secret"] = None  # the SDK accepts one kind of credential at a time
    return _arguments({name: str(value) for name, value in values.items() if value})


def _arguments(values: Mapping[str, Any]) -> Credentials:
    known = {
        name: values[name]
        for name in ("client_id", "client_secret", "cert_str", "key_str", "cert_file_path", "key_file_path")
        if values.get(name)
    }
    secret_kinds = [name for name in ("client_secret", "cert_str", "cert_file_path") if name in known]
    if len(secret_kinds) != 1:
        raise AuthenticationError(
            "The credentials need exactly one of a client secret and a certificate.",
            remedy="Correct the service key.",
        )
    auth = str(
        values.get("cert_url") or values["auth_url"] if "client_secret" not in known else values["auth_url"]
    )
    base = str(values["base_url"]).rstrip("/")
    auth = auth.rstrip("/")
    return Credentials(
        base_url=base if base.endswith("/v2") else f"{base}/v2",
        arguments={**known, "auth_url": auth if auth.endswith(_TOKEN_PATH) else f"{auth}{_TOKEN_PATH}"},
    )
