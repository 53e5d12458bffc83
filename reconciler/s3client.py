"""One bucket over S3, every request translated and repeated in the way of this package.

Whoever speaks S3 here (the object store, `s3://` sources) goes through `Bucket`: no error of boto3 leaves it.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import boto3
import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader, create_loader
from botocore.utils import get_environ_proxies

from reconciler.clock import Clock, SystemClock
from reconciler.errors import AuthenticationError, InputRejectedError, ReconcilerError, TransientError
from reconciler.retry import repeat_read

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

T = TypeVar("T")

#: Seconds between attempts. Every request made here may be repeated: its outcome is decided by content.
DELAYS = (0.5, 2.0, 6.0, 15.0)
ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
#: What a conditional write is refused with when something lies there already.
PRESENT = frozenset({"PreconditionFailed", "412"})
_REFUSED = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403", "ExpiredToken", "InvalidToken"}
)
_PASSING = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "OperationAborted",
        "ConditionalRequestConflict",
        "Throttling",
    }
)
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
#: At level DEBUG botocore logs access key ids and signed headers.
logging.getLogger("botocore").setLevel(logging.INFO)
_ERROR_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")


@lru_cache(maxsize=1)
def _descriptions(search_path: str | None) -> Loader:
    """What botocore knows of services, read once a process: a daemon opens its bucket every round."""
    return create_loader(search_path)


class Bucket:
    """Requests to `bucket`; keys begin with `path_prefix`. Without keys boto3 searches in its own places."""

    def __init__(
        self,
        name: str,
        path_prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        connections: int = 16,
        clock: Clock | None = None,
    ) -> None:
        self.name, self._prefix = name, path_prefix.strip("/")
        self.where = f"s3://{name} at {endpoint or 'AWS'}"
        self._clock = clock or SystemClock()
        core = botocore.session.Session()
        session = boto3.session.Session(access_key_id, secret_access_key, botocore_session=core)
        core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
        self.client: S3Client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or session.region_name or "us-east-1",
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
                retries={"total_max_attempts": 1},  # repeating is done here, on the clock of this package
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=connections,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

        self._credentials = session.get_credentials()
        self._http = URLLib3Session(
            proxies=get_environ_proxies(self.client.meta.endpoint_url),
            timeout=_READ_SECONDS,
            max_pool_connections=connections,
        )
        self._base = ""

    def key(self, key: str) -> str:
        """The full key of one below `path_prefix`."""
        return f"{self._prefix}/{key}" if self._prefix else key

    def call(self, request: Callable[[], T]) -> T:
        """`request()`, again after a failure that passes. Raises the errors of `reconciler.errors`."""

        def once() -> T:
            try:
                return request()
            except (ClientError, BotoCoreError) as error:
                raise self._translated(error) from None

        return repeat_read(once, self._clock, DELAYS)

    def unless_absent(self, request: Callable[[], T]) -> T | None:
        """`request()` repeated like `call`; None where the object does not exist."""

        def look() -> T | None:
            try:
                return request()
            except ClientError as error:
                if code(error) in ABSENT:
                    return None
                raise

        return self.call(look)

    def sha256(self, key: str) -> str | None:
        """The SHA-256 (hex) of the object of that full key, as far as the server says; None without one."""
        answer = self.unless_absent(
            lambda: self.client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        )
        return object_sha256(answer) if answer else None

    def put(self, key: str, body: bytes, headers: Mapping[str, str], sha256: str, query: str = "") -> str:
        """PUT `body` (its SHA-256, hex, is signed) to a full key, once; returns the ETag as it was sent.

        A client of boto3 spends more time on a small object than the network does; this signs and sends.
        Raises ClientError and BotoCoreError: call it through `call`.
        """
        if self._credentials is None:
            raise NoCredentialsError
        self._base = self._base or self._address()
        url = self._base + quote(key, safe="/~") + (f"?{query}" if query else "")
        request = AWSRequest("PUT", url, {**headers, "X-Amz-Content-SHA256": sha256}, body)
        S3SigV4Auth(self._credentials.get_frozen_credentials(), "s3", self.client.meta.region_name).add_auth(
            request
        )
        answer = self._http.send(request.prepare())
        if answer.status_code == 200:
            return str(answer.headers.get("ETag", ""))
        said = _ERROR_CODE.search(answer.content)
        answered: Any = {
            "Error": {"Code": said[1].decode() if said else str(answer.status_code)},
            "ResponseMetadata": {
                "HTTPStatusCode": answer.status_code,
                "HTTPHeaders": {name.lower(): value for name, value in answer.headers.items()},
            },
        }
        raise ClientError(answered, "PUT")

    def _address(self) -> str:
        """The URL before a key, as boto3 would write it for this bucket and endpoint."""
        signed = self.client.generate_presigned_url("put_object", Params={"Bucket": self.name, "Key": "x"})
        scheme, host, path, _, _ = urlsplit(signed)
        return urlunsplit((scheme, host, path.removesuffix("x"), "", ""))

    def _translated(self, error: Exception) -> ReconcilerError:
        remedy = "Check objectStores.<name>: endpoint, bucket, region and the two key references."
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return AuthenticationError(f"No credentials for {self.where}.", remedy=remedy)
        if isinstance(error, ParamValidationError):
            return InputRejectedError(f"{self.where} is no bucket's name, or an object's key is none.")
        if not isinstance(error, ClientError):
            return TransientError(f"{self.where} cannot be reached ({type(error).__name__}).", remedy=remedy)
        answer = error.response.get("ResponseMetadata", {})
        status, said = answer.get("HTTPStatusCode", 0), code(error)
        if said in _REFUSED or status in {401, 403}:
            return AuthenticationError(
                f"The credentials for {self.where} do not work ({said}).", remedy=remedy
            )
        if status >= 500 or status == 429 or said in _PASSING:
            after = str(answer.get("HTTPHeaders", {}).get("retry-after", ""))
            wait = float(after) if after.isdecimal() else None
            return TransientError(f"{self.where} failed ({said}).", retry_after=wait)
        return InputRejectedError(f"{self.where} refused ({said}).", remedy=remedy)


def code(error: ClientError) -> str:
    """S3's own name of an error, "" where it gave none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def object_sha256(head: HeadObjectOutputTypeDef) -> str | None:
    """The SHA-256 (hex) of an object: S3's own checksum of the whole, else the one in our metadata.

    Of an object that came in parts (its ETag says so) S3 keeps a checksum of checksums, which says nothing
    about the whole.
    """
    checksum = head.get("ChecksumSHA256", "")
    if checksum and "-" not in checksum and "-" not in head["ETag"]:
        try:
            return base64.b64decode(checksum, validate=True).hex()
        except binascii.Error:
            return None
    return head["Metadata"].get("sha256")
