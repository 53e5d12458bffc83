"""The lock of an environment, of the kind that it asks for.

A kind of lock is one entry of `OPENERS` and one class with the methods of `Lock`, or a `Slot` of
`reconciler.lock_expiring`; its model is in `generator.spec.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.spec.environment import Environment
from generator.spec.operations import FileLock as FileSpec
from generator.spec.operations import LeaseLock as LeaseSpec
from generator.spec.operations import S3Lock as S3Spec
from reconciler.clock import Clock
from reconciler.connection import credentials
from reconciler.lock import FileLock
from reconciler.lock_base import Lock, LockRecord, lock_name
from reconciler.lock_expiring import ExpiringLock, Slot
from reconciler.stores import open_bucket

__all__ = ["Lock", "LockRecord", "open_lock"]


@dataclass(frozen=True, slots=True)
class _Request:
    """What every kind of lock is asked for."""

    environment: Environment
    root: Path
    base_url: str
    operation: str
    commit: str
    timeout: float
    folder: Path | None
    clock: Clock | None


def open_lock(
    environment: Environment,
    root: Path,
    operation: str = "write",
    *,
    commit: str = "",
    timeout: float = 0.0,
    folder: Path | None = None,
    clock: Clock | None = None,
) -> Lock:
    """The lock of the environment's API and resource group; not taken yet.

    `timeout`: seconds to wait for another holder; `folder`: of file locks. Raises AuthenticationError where
    the credentials of AI Core or of the object store cannot be found.
    """
    place = credentials(environment, root)
    request = _Request(environment, root, place.base_url, operation, commit, timeout, folder, clock)
    return OPENERS[type(environment.lock)](environment.lock, request)


def _file(_: FileSpec, request: _Request) -> Lock:
    return FileLock(
        request.base_url,
        request.environment.resource_group,
        request.operation,
        commit=request.commit,
        timeout=request.timeout,
        folder=request.folder,
        clock=request.clock,
    )


def _s3(spec: S3Spec, request: _Request) -> Lock:
    # boto3 takes a while to load, and a lock on a laptop needs none of it
    from reconciler.lock_s3 import S3Slot

    group = request.environment.resource_group
    bucket = open_bucket(request.environment, spec.object_store, request.root, request.clock)
    key = f"{spec.path}/{lock_name(request.base_url, group)}.json".lstrip("/")
    return _expiring(S3Slot(bucket, key), request)


def _lease(spec: LeaseSpec, request: _Request) -> Lock:
    # An extra: most environments have no cluster of their own
    from reconciler.lock_lease import LeaseSlot, connect

    return _expiring(LeaseSlot(connect(), spec.namespace, spec.name, request.clock), request)


def _expiring(slot: Slot, request: _Request) -> Lock:
    return ExpiringLock(
        slot,
        request.base_url,
        request.environment.resource_group,
        request.operation,
        commit=request.commit,
        timeout=request.timeout,
        clock=request.clock,
    )


OPENERS: Mapping[type, Callable[[Any, _Request], Lock]] = {
    FileSpec: _file,
    S3Spec: _s3,
    LeaseSpec: _lease,
}
