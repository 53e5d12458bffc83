"""S3 object stores, by the fields of an AI Core object-store secret (aicore.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcore.errors import ObjectStoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Store:
    """One bucket below a path prefix. Errors name the store and the key, never a credential."""

    def __init__(self, secret: Mapping[str, Any]) -> None:
        self._bucket = str(secret.get("bucket") or "")
        self._prefix = str(secret.get("pathPrefix") or "").strip("/")
        self._client = _client(secret)

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def download(self, path: str, target: Path) -> bool:
        """Bring the object `path`, or all below it, to `target`; False when there is nothing."""
        key = self._key(path)
        with _errors(f"s3 bucket {self._bucket}, key {key}"):
            found = False
            for name in self._below(key):
                relative = name[len(key) :].lstrip("/")
                place = (target / relative) if relative else target
                if not place.resolve().is_relative_to(target.resolve()):
                    raise ObjectStoreError(f"the object name {name} leaves its folder")
                place.parent.mkdir(parents=True, exist_ok=True)
                self._client.download_file(self._bucket, name, str(place))
                found = True
            return found

    def _below(self, key: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=key)
        for page in pages:
            for entry in page.get("Contents", []):
                name = entry["Key"]
                if (name == key or name.startswith(f"{key}/")) and not name.endswith("/"):
                    yield name

    def upload(self, source: Path, path: str) -> None:
        """Store a file as the object `path`, or a folder's files below it."""
        key = self._key(path)
        with _errors(f"s3 bucket {self._bucket}, key {key}"):
            if source.is_file():
                self._client.upload_file(str(source), self._bucket, key)
                return
            for file in sorted(file for file in source.rglob("*") if file.is_file()):
                self._client.upload_file(
                    str(file), self._bucket, f"{key}/{file.relative_to(source).as_posix()}"
                )


class _errors:  # noqa: N801 - a context manager that reads as a word
    """Turn boto3's errors into ours."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise ObjectStoreError(f"{self._where}: the object store answered {code}") from error
        if isinstance(error, Boto3Error | BotoCoreError):
            raise ObjectStoreError(f"{self._where}: {type(error).__name__}") from error


def _client(secret: Mapping[str, Any]) -> S3Client:
    import boto3
    from botocore.config import Config

    data = secret.get("data") or {}
    endpoint = str(secret.get("endpoint") or "")
    if endpoint and "://" not in endpoint:
        scheme = "http" if str(secret.get("usehttps", "1")) == "0" else "https"
        endpoint = f"{scheme}://{endpoint}"
    return boto3.client(
        "s3",
        aws_access_key_id=data.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=data.get("AWS_SECRET_ACCESS_KEY"),
        endpoint_url=endpoint or None,
        region_name=str(secret.get("region") or "us-east-1"),
        verify=str(secret.get("verifyssl", "1")) != "0",
        config=Config(retries={"max_attempts": 5, "mode": "standard"}),
    )
