"""Open the object stores of an environment.

A kind of store is one entry of `OPENERS` and one class with the methods of `ObjectStore`: another one
(Azure Blob, Google Cloud Storage) needs its model in `generator.spec.environment` and its entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.errors import ReferenceUnavailableError
from generator.spec.environment import DirectoryStore as DirectorySpec
from generator.spec.environment import Environment
from generator.spec.environment import S3Store as S3Spec
from generator.spec.references import SecretReference
from reconciler.clock import Clock
from reconciler.directorystore import DirectoryStore
from reconciler.errors import AuthenticationError, InputRejectedError
from reconciler.objectstore import ObjectStore

if TYPE_CHECKING:
    from reconciler.s3client import Bucket
    from reconciler.s3store import S3Store


def open_stores(environment: Environment, root: Path, clock: Clock | None = None) -> dict[str, ObjectStore]:
    """The environment's object stores by name. Raises AuthenticationError when a reference leads nowhere."""
    try:
        return {
            name: OPENERS[type(spec)](spec, root, clock) for name, spec in environment.object_stores.items()
        }
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"objectStores: {error}") from None


def open_bucket(environment: Environment, name: str, root: Path, clock: Clock | None = None) -> Bucket:
    """The bucket of the S3 store `name`. Raises like `open_stores`, and for a store of another kind."""
    spec = environment.object_stores.get(name)
    if not isinstance(spec, S3Spec):
        raise InputRejectedError(f"`{name}` is no S3 object store.", remedy="Look at `objectStores`.")
    try:
        return _s3(spec, root, clock).bucket
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"objectStores.{name}: {error}") from None


def _directory(spec: DirectorySpec, root: Path, _: Clock | None) -> ObjectStore:
    return DirectoryStore(root / spec.path)


def _s3(spec: S3Spec, root: Path, clock: Clock | None) -> S3Store:
    from reconciler.s3store import (
        S3Store,
    )  # boto3 takes a while to load, and most verbs on a laptop need none of it

    return S3Store(
        spec.bucket.resolve(),
        spec.path_prefix or "",
        endpoint=spec.endpoint.resolve() if spec.endpoint else None,
        region=spec.region,
        access_key_id=_secret(spec.access_key_id, root),
        secret_access_key=_secret(spec.secret_access_key, root),
        clock=clock,
    )


def _secret(reference: SecretReference | None, root: Path) -> str | None:
    return reference.resolve(root) if reference else None


OPENERS: Mapping[type, Callable[[Any, Path, Clock | None], ObjectStore]] = {
    DirectorySpec: _directory,
    S3Spec: _s3,
}
