"""What the environment says about admin objects: what AI Core shows of them, and the values it never shows.

Values are read from their references here and nowhere else, and only handed to the port and the marks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.errors import ReferenceUnavailableError
from generator.spec.environment import Docker, Environment, S3Store
from generator.spec.references import SecretReference
from reconciler.desired import Onboarding
from reconciler.live import Held, Live, Written
from reconciler.marks import OWN_LABEL, Marker, label_of

__all__ = ["held_values", "store_body", "store_fields", "values"]

#: How Docker's own hub is called in a docker config file.
_DOCKER_HUB = "https://index.docker.io/v1/"
#: Fields of an object store secret, and the keys under which AI Core shows them.
_SHOWN = {
    "type": "storage.ai.sap.com/type",
    "bucket": "storage.ai.sap.com/bucket",
    "endpoint": "storage.ai.sap.com/endpoint",
    "region": "storage.ai.sap.com/region",
    "pathPrefix": "storage.ai.sap.com/pathPrefix",
    "usehttps": "serving.kubeflow.org/s3-usehttps",
    "verifyssl": "serving.kubeflow.org/s3-verifyssl",
}


def store_fields(environment: Environment) -> dict[str, dict[str, str]]:
    """By name of each store that is registered: what AI Core shows of it.

    Raises ReferenceUnavailableError for a `${NAME}` that is not set.
    """
    return {
        name: {_SHOWN[key]: value for key, value in _store(store).items()}
        for name, store in environment.object_stores.items()
        if isinstance(store, S3Store) and store.register_secret
    }


def store_body(environment: Environment, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """What is sent for an object store secret; `data`: its `values`."""
    store = environment.object_stores[name]
    fields = _store(store) if isinstance(store, S3Store) else {}
    return {"name": name, **fields, "data": dict(data)}


def _store(store: S3Store) -> dict[str, str]:
    region = store.region or "us-east-1"
    endpoint = store.endpoint.resolve() if store.endpoint else f"https://s3.{region}.amazonaws.com"
    secure = "0" if endpoint.startswith("http://") else "1"
    return {
        "type": "S3",
        "bucket": store.bucket.resolve(),
        "endpoint": endpoint.partition("://")[2] or endpoint,
        "region": region,
        "pathPrefix": store.path_prefix or "",
        "usehttps": secure,
        "verifyssl": secure,
    }


def values(environment: Environment, root: Path, address: str) -> dict[str, str]:
    """The write-only values of one object of `Onboarding.valued`, as they are sent.

    Raises ReferenceUnavailableError where a reference leads nowhere.
    """
    kind, _, name = address.partition("/")

    def read(reference: SecretReference | None) -> str:
        return reference.resolve(root) if reference else ""

    if kind == "object-store-secret":
        store = environment.object_stores[name]
        keys = (store.access_key_id, store.secret_access_key) if isinstance(store, S3Store) else (None, None)
        return {"AWS_ACCESS_KEY_ID": read(keys[0]), "AWS_SECRET_ACCESS_KEY": read(keys[1])}
    if kind == "docker-secret" and environment.docker:
        return _dockerconfigjson(environment.docker, root)
    if kind == "secret":
        data = environment.secrets[name].data
        return {key: base64.b64encode(read(data[key]).encode()).decode() for key in sorted(data)}
    return {"username": read(environment.git.username), "password": read(environment.git.password)}


def _dockerconfigjson(docker: Docker, root: Path) -> dict[str, str]:
    host = docker.registry.resolve().split("/")[0]
    login = {
        name: reference.resolve(root) if reference else ""
        for name, reference in (("username", docker.username), ("password", docker.password))
    }
    return {".dockerconfigjson": json.dumps({"auths": {_DOCKER_HUB if host == "docker.io" else host: login}})}


def held_values(
    environment: Environment, root: Path, want: Onboarding, live: Live, marker: Marker
) -> dict[str, Held]:
    """How the values of every object stand that AI Core has and the environment declares."""
    return {
        address: _held(environment, root, address, live, marker)
        for address in want.valued
        if _exists(address, live)
    }


def _exists(address: str, live: Live) -> bool:
    kind, _, name = address.partition("/")
    if kind == "repository":
        return any(repository.name == name for repository in live.repositories)
    known = {
        "object-store-secret": live.object_store_secrets,
        "docker-secret": live.docker_secrets,
        "secret": live.secrets,
    }
    return name in known[kind]


def _held(environment: Environment, root: Path, address: str, live: Live, marker: Marker) -> Held:
    try:
        found = values(environment, root, address)
    except ReferenceUnavailableError as error:
        return Held(Written.UNREADABLE, str(error))
    return Held(marker.read(_mark(address, live), address, found))


def _mark(address: str, live: Live) -> str | None:
    kind, _, name = address.partition("/")
    if kind == "secret":
        return live.secrets[name].get(OWN_LABEL)
    return live.group_labels.get(label_of(address))
