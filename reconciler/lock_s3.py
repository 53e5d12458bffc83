"""A lock in a bucket: taken with `If-None-Match: *`, renewed and released with `If-Match`.

Nothing is ever deleted: RGW 16.2 deletes whatever the condition says. A released lock leaves its record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from reconciler.errors import LockUnavailableError, ReconcilerError, TransientError
from reconciler.lock_expiring import Seen
from reconciler.s3client import ABSENT, PRESENT, Bucket, code

__all__ = ["S3Slot"]

T = TypeVar("T")

#: A lock is a few hundred bytes; more than this is something else.
_MOST_BYTES = 64 * 1024
#: Refused because of the condition: something else lies there, or is being written at this moment.
_REFUSED = PRESENT | ABSENT | {"ConditionalRequestConflict", "409"}


class S3Slot:
    """One key of a bucket, as `reconciler.lock_expiring.Slot`."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """`key`: below the bucket's prefix."""
        self._bucket, self._key = bucket, bucket.key(key)
        self.where = f"{self._key} in {bucket.where}"
        # RGW compares the text of the header with the bare tag; the standard, and some others, want quotes.
        self._forms: tuple[str, ...] = ("{}", '"{}"')

    def get(self) -> Seen:
        def request() -> Seen:
            try:
                answer: Any = self._bucket.client.get_object(Bucket=self._bucket.name, Key=self._key)
            except ClientError as error:
                if code(error) not in ABSENT:
                    raise
                return Seen(None, "", _date(error.response))
            return Seen(answer["Body"].read(_MOST_BYTES), answer["ETag"].strip('"'), _date(answer))

        return self._ask(request)

    def put(self, content: bytes, replacing: str) -> bool:
        if not replacing:
            return self._put(content, {"If-None-Match": "*"})
        for form in self._forms:
            if self._put(content, {"If-Match": form.format(replacing)}):
                self._forms = (form,)
                return True
            if self.get().tag != replacing:
                break
        return False

    def _put(self, content: bytes, condition: dict[str, str]) -> bool:
        headers = {"Content-Type": "application/json", **condition}

        def request() -> bool:
            try:
                self._bucket.put(self._key, content, headers, hashlib.sha256(content).hexdigest())
            except ClientError as error:
                if code(error) in _REFUSED:
                    return False
                raise
            return True

        return self._ask(request)

    def _ask(self, request: Callable[[], T]) -> T:
        try:
            return self._bucket.call(request)
        except ReconcilerError as error:
            raise LockUnavailableError(
                f"The lock {self.where} cannot be used, so nothing is written: {error.message}",
                remedy=error.remedy,
                transient=isinstance(error, TransientError),
            ) from None


def _date(answer: Any) -> datetime | None:
    """The server's time when it answered; None where it does not say."""
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return None
