"""An S3 bucket as object store, through boto3: AWS, Ceph, MinIO and whatever else speaks S3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from reconciler.dataset import DatasetFile
from reconciler.errors import AuthenticationError, InputRejectedError, ReconcilerError, TransientError
from reconciler.objectstore import changed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_REFUSED = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403", "ExpiredToken", "InvalidToken"}
)
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_PART = 16 * 1024 * 1024


class S3Store:
    """Objects below `bucket/path_prefix`.

    Content is recognised by size and by the `sha256` in the object's metadata, never by its ETag, which is no
    digest where the bucket encrypts. Each request's body is signed with its SHA-256, so that the server
    itself refuses what was damaged on the way, whichever checksum extensions it knows.
    """

    workers = 16

    def __init__(
        self,
        bucket: str,
        path_prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
    ) -> None:
        self._bucket, self._prefix = bucket, path_prefix.strip("/")
        self._where = f"s3://{bucket} at {endpoint or 'AWS'}"
        self._client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or "us-east-1",
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
                retries={"mode": "standard", "max_attempts": 5},
                max_pool_connections=self.workers * 2,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def stored(self, prefix: str, files: tuple[DatasetFile, ...]) -> frozenset[str]:
        sizes = self._call(lambda: self._list(f"{prefix}/"))
        candidates = [file for file in files if sizes.get(file.path) == file.size]
        with ThreadPoolExecutor(self.workers) as pool:
            same = pool.map(lambda file: self._digest(f"{prefix}/{file.path}") == file.sha256, candidates)
            return frozenset(file.path for file, is_same in zip(candidates, same, strict=True) if is_same)

    def put(self, prefix: str, source: Path, file: DatasetFile) -> None:
        path = source / file.path
        before = _identity(path, file)
        transfer = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)
        key = self._key(f"{prefix}/{file.path}")
        extra = {"Metadata": {"sha256": file.sha256}}
        self._call(
            lambda: self._client.upload_file(str(path), self._bucket, key, ExtraArgs=extra, Config=transfer)
        )
        # boto3 reads the file itself, in parts and again on a retry: what it sent is known by the file not
        # having moved.
        if _identity(path, file, before) != before:
            self._call(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))
            raise changed(file)

    def read(self, key: str) -> bytes | None:
        def get() -> bytes | None:
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._key(key))["Body"].read()
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

        return self._call(get)

    def write(self, key: str, content: bytes) -> None:
        self._call(lambda: self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content))

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _list(self, prefix: str) -> dict[str, int]:
        start = self._key(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
        return {
            item["Key"][len(start) :]: item["Size"] for page in pages for item in page.get("Contents", [])
        }

    def _digest(self, key: str) -> str | None:
        def head() -> str | None:
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=self._key(key))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            return answer["Metadata"].get("sha256")

        return self._call(head)

    def _call(self, request: Callable[[], T]) -> T:
        try:
            return request()
        except (ClientError, BotoCoreError, S3UploadFailedError) as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> ReconcilerError:
        remedy = "Check objectStores.<name>: endpoint, bucket, region and the two key references."
        if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, ClientError):
            error = error.__context__
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return AuthenticationError(f"No credentials for {self._where}.", remedy=remedy)
        if isinstance(error, ClientError):
            code, status = _code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _REFUSED or status in {401, 403}:
                return AuthenticationError(
                    f"The credentials for {self._where} do not work ({code}).", remedy=remedy
                )
            if status >= 500 or code in {"SlowDown", "RequestTimeout"}:
                return TransientError(f"{self._where} failed ({code}).")
            return InputRejectedError(f"{self._where} refused ({code}).", remedy=remedy)
        return TransientError(f"{self._where} cannot be reached ({type(error).__name__}).", remedy=remedy)


def _identity(path: Path, file: DatasetFile, known: tuple[int, int] | None = None) -> tuple[int, int]:
    """(size, mtime in ns) of a file that still holds what was hashed; `known`: skip reading it again."""
    try:
        status = path.stat()
        identity = (status.st_size, status.st_mtime_ns)
        if known is None:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    raise changed(file)
    except OSError:
        raise changed(file) from None
    return identity


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
