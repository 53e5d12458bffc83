"""An S3 bucket as object store, through boto3: AWS, Ceph, MinIO and whatever else speaks S3."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import ClientError

from reconciler.clock import Clock
from reconciler.dataset import DatasetFile
from reconciler.errors import TransientError
from reconciler.objectstore import Arrived, changed, uncounted
from reconciler.room import Room
from reconciler.s3client import PRESENT, Bucket, code
from reconciler.s3multipart import PART, Parts

_PART_WORKERS = 8
#: Bytes of files and parts in memory at the same time.
_ROOM = 96 << 20


class S3Store:
    """Objects below `bucket/path_prefix`.

    Content is recognised by size and by its SHA-256: the checksum that the server keeps, or the object's
    metadata where it keeps none; never by the ETag, which is no digest where the bucket encrypts. Each
    request's body is signed with its SHA-256 too, so that the server itself refuses what was damaged on the
    way, whichever checksum extensions it knows.
    """

    #: Many: a small object is mostly waiting for the answer.
    workers = 24

    def __init__(
        self,
        bucket: str,
        path_prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.bucket = Bucket(
            bucket,
            path_prefix,
            endpoint=endpoint,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            connections=self.workers + _PART_WORKERS,
            clock=clock,
        )
        self._room = Room(_ROOM)
        self._parts = Parts(self.bucket, _PART_WORKERS, self._room)

    def stored(self, prefix: str, files: tuple[DatasetFile, ...]) -> frozenset[str]:
        sizes = self.bucket.call(lambda: self._list(f"{prefix}/"))
        candidates = [file for file in files if sizes.get(file.path) == file.size]
        with ThreadPoolExecutor(self.workers) as pool:
            found = pool.map(lambda file: self._sha256(f"{prefix}/{file.path}"), candidates)
            return frozenset(
                file.path for file, sha256 in zip(candidates, found, strict=True) if sha256 == file.sha256
            )

    def sizes(self, prefix: str) -> dict[str, int]:
        found = self.bucket.call(lambda: self._list(f"{prefix}/"))
        return {path: size for path, size in found.items() if path}  # consoles make an object of a folder

    def put(self, prefix: str, source: Path, file: DatasetFile, arrived: Arrived = uncounted) -> None:
        path, key = source / file.path, f"{prefix}/{file.path}"
        if file.size > PART:
            self._parts.send(self.bucket.key(key), path, file, arrived)
            if self._sha256(key) != file.sha256:
                raise TransientError(f"{self.bucket.where} holds {key}, and not with what was sent.")
            return
        with self._room.of(file.size):
            self._put_whole(key, path, file, arrived)

    def _put_whole(self, key: str, path: Path, file: DatasetFile, arrived: Arrived) -> None:
        try:
            with path.open("rb") as stream:
                content = stream.read(file.size + 1)
        except OSError:
            raise changed(file) from None
        checksum = hashlib.sha256(content)
        if checksum.hexdigest() != file.sha256:
            raise changed(file)
        arrived(len(content), sent=self._put(key, content, file, checksum.digest()))

    def _put(self, key: str, content: bytes, file: DatasetFile, digest: bytes) -> bool:
        """Write where nothing lies, or over what has another content; False when it is there already."""
        headers = {
            "x-amz-meta-sha256": file.sha256,
            "x-amz-checksum-sha256": base64.b64encode(digest).decode(),
        }

        def write(condition: dict[str, str]) -> None:
            self.bucket.put(self.bucket.key(key), content, headers | condition, file.sha256)

        def attempt() -> bool:
            try:
                write({"If-None-Match": "*"})
            except ClientError as error:
                if code(error) not in PRESENT:
                    raise
                return False
            return True

        if self.bucket.call(attempt):
            return True
        if self._sha256(key) == file.sha256:
            return False  # another writer, or an attempt of ours whose answer was lost
        self.bucket.call(lambda: write({}))
        return True

    def read(self, key: str) -> bytes | None:
        def get() -> bytes:
            full = self.bucket.key(key)
            return self.bucket.client.get_object(Bucket=self.bucket.name, Key=full)["Body"].read()

        return self.bucket.unless_absent(get)

    def write(self, key: str, content: bytes) -> None:
        full = self.bucket.key(key)
        self.bucket.call(
            lambda: self.bucket.client.put_object(Bucket=self.bucket.name, Key=full, Body=content)
        )

    def _list(self, prefix: str) -> dict[str, int]:
        start = self.bucket.key(prefix)
        pages = self.bucket.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket.name, Prefix=start
        )
        return {
            item["Key"][len(start) :]: item["Size"] for page in pages for item in page.get("Contents", [])
        }

    def _sha256(self, key: str) -> str | None:
        return self.bucket.sha256(self.bucket.key(key))
