"""Stores with conditional writes: one in memory that can misbehave, and real S3 servers."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import boto3
import pytest

from reconciler.errors import LockUnavailableError
from reconciler.lock_expiring import ExpiringLock, Seen
from reconciler.s3client import Bucket
from tests.reconciler.fake import FakeClock

PLACE = ("http://ai.example/v2", "default")
CEPH = ("CORESPEC_S3_ENDPOINT", "CORESPEC_S3_ACCESS_KEY", "CORESPEC_S3_SECRET_KEY")


@dataclass
class MemorySlot:
    """A slot with a clock of its own; `lose_answers` writes act and are said to be refused."""

    clock: FakeClock = field(default_factory=FakeClock)
    where: str = "the slot of this test"
    dated: bool = True
    honest: bool = True  #: False: conditions are ignored
    down: bool = False
    lose_answers: int = 0
    content: bytes | None = None
    tag: str = ""
    before_put: Callable[[], None] = lambda: None  #: what happens between a look and a write
    _tags: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def get(self) -> Seen:
        self._answer()
        return Seen(self.content, self.tag, self.clock.now() if self.dated else None)

    def put(self, content: bytes, replacing: str) -> bool:
        self._answer()
        self.before_put()
        if self.honest and replacing != self.tag:
            return False
        self.content, self.tag = content, str(next(self._tags))
        if self.lose_answers:
            self.lose_answers -= 1
            return False
        return True

    def lock(
        self, operation: str = "apply", clock: FakeClock | None = None, timeout: float = 0
    ) -> ExpiringLock:
        """A lock in this slot; `clock`: of the host that takes it."""
        return ExpiringLock(
            self, *PLACE, operation, commit="c" * 40, timeout=timeout, clock=clock or self.clock
        )

    def _answer(self) -> None:
        if self.down:
            raise LockUnavailableError("the store is down", transient=True)


def new_bucket(endpoint: str, access: str, secret: str) -> Bucket:
    """A bucket of its own, created."""
    bucket = Bucket(
        f"corespec-{uuid.uuid4().hex[:12]}",
        "some/prefix",
        endpoint=endpoint,
        access_key_id=access,
        secret_access_key=secret,
        clock=FakeClock(),
    )
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    ).create_bucket(Bucket=bucket.name)
    return bucket


def ceph() -> tuple[str, str, str]:
    """Endpoint and keys of the real S3; skips where there is none."""
    if not all(name in os.environ for name in CEPH):
        pytest.skip("needs a Ceph RGW: start one with tests/integration/ceph_rgw.sh and set CORESPEC_S3_*")
    endpoint, access, secret = (os.environ[name] for name in CEPH)
    return endpoint, access, secret
