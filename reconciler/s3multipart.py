"""A large file as a multipart upload that goes on where it was killed.

The file is read once, in order, and hashed as it is read: what was hashed is what is sent. Parts that the
server lists with our checksum (or, where it keeps none, our MD5) are not sent again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from reconciler.dataset import DatasetFile
from reconciler.objectstore import Arrived, changed
from reconciler.room import Room
from reconciler.s3client import PRESENT, Bucket, code

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef

MIB = 1 << 20
#: Bytes of a part, and the size from which a file travels in parts.
PART = 16 * MIB
_MOST_PARTS = 10_000
#: The id of an unfinished upload, and the parts that the server lists of it by their numbers.
_Upload: TypeAlias = "tuple[str, dict[int, PartTypeDef]]"


def part_size(size: int) -> int:
    """Bytes of each part of a file of that size; the same at every attempt. S3 takes 10,000 parts."""
    return max(PART, -(-size // _MOST_PARTS // MIB) * MIB + MIB if size > PART * _MOST_PARTS else PART)


class Parts:
    """Threads that send parts, shared by all files of a store; `room` limits what is in memory."""

    def __init__(self, bucket: Bucket, workers: int, room: Room) -> None:
        self._bucket, self._room = bucket, room
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="part")

    def send(self, key: str, path: Path, file: DatasetFile, arrived: Arrived) -> None:
        """Bring `path` to `key` (full). Raises DatasetError if it is no longer what was hashed.

        An exception from `arrived` ends it too; the parts that have arrived stay for the next attempt.
        """
        found = self._bucket.call(lambda: self._unfinished(key))
        if found is None and self._bucket.sha256(key) == file.sha256:
            arrived(file.size, sent=False)  # the end of a killed attempt was still on its way: it has arrived
            return
        upload, there = found or self._begin(key, file)
        sending = _Sending(there)
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                for number, size in enumerate(_sizes(file.size), 1):
                    with self._space(sending, number, size) as submit:
                        content = stream.read(size)
                        digest.update(content)
                        if len(content) < size:
                            break  # the file has shrunk; its digest says so below
                        if sending.has(number, content):
                            arrived(len(content), sent=False)
                        else:
                            submit(self._part, key, upload, number, content, arrived)
                        del content
                grown = bool(stream.read(1))
            sending.harvest(last=True)
        except OSError:
            raise changed(file) from None
        finally:
            for number in sending.cancel():
                self._room.give(_sizes(file.size)[number - 1])
        if grown or digest.hexdigest() != file.sha256:
            self._abort(key, upload)
            raise changed(file)
        self._finish(key, upload, [sending.parts[number] for number in sorted(sending.parts)])

    @contextlib.contextmanager
    def _space(self, sending: _Sending, number: int, size: int) -> Iterator[Callable[..., None]]:
        """Room in memory for one part, which the thread that sends it gives back."""
        self._room.take(size)
        submitted = False

        def submit(*call: Any) -> None:
            nonlocal submitted
            sending.waiting[number] = self._pool.submit(*call)
            submitted = True

        try:
            sending.harvest()
            yield submit
        finally:
            if not submitted:
                self._room.give(size)

    def _part(
        self, key: str, upload: str, number: int, content: bytes, arrived: Arrived
    ) -> CompletedPartTypeDef:
        size = len(content)
        try:
            digest = hashlib.sha256(content)
            checksum = base64.b64encode(digest.digest()).decode()
            query = urlencode({"partNumber": number, "uploadId": upload})
            headers = {"x-amz-checksum-sha256": checksum}
            etag = self._bucket.call(
                lambda: self._bucket.put(key, content, headers, digest.hexdigest(), query)
            )
            arrived(size, sent=True)
        finally:
            self._room.give(size)
        return {"PartNumber": number, "ETag": etag, "ChecksumSHA256": checksum}

    def _begin(self, key: str, file: DatasetFile) -> _Upload:
        """A new upload. Looking belongs to each attempt: a beginning whose answer was lost is found."""

        def attempt() -> _Upload:
            if found := self._unfinished(key):
                return found
            begun = self._bucket.client.create_multipart_upload(
                Bucket=self._bucket.name,
                Key=key,
                Metadata={"sha256": file.sha256},
                ChecksumAlgorithm="SHA256",
            )
            return begun["UploadId"], {}

        return self._bucket.call(attempt)

    def _unfinished(self, key: str) -> _Upload | None:
        """The unfinished upload of that very key that has most; others are given up, the older of two equals.

        Not simply the latest: what a killed attempt began may appear after the one that others went on with.
        """
        listed = self._bucket.client.list_multipart_uploads(Bucket=self._bucket.name, Prefix=key)
        ours = [item for item in listed.get("Uploads", ()) if item["Key"] == key]
        ours.sort(key=lambda item: (item["Initiated"], item["UploadId"]))
        found = [
            (item["UploadId"], parts)
            for item in ours
            if (parts := self._listed(key, item["UploadId"])) is not None
        ]
        found.sort(key=lambda upload: sum(part["Size"] for part in upload[1].values()))
        for upload, _ in found[:-1]:
            self._abort(key, upload)
        return found[-1] if found else None

    def _listed(self, key: str, upload: str) -> dict[int, PartTypeDef] | None:
        """The parts that have arrived; None where the upload has ended since it was listed."""
        pages = self._bucket.client.get_paginator("list_parts").paginate(
            Bucket=self._bucket.name, Key=key, UploadId=upload
        )
        try:
            return {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}
        except self._bucket.client.exceptions.NoSuchUpload:
            return None

    def _finish(self, key: str, upload: str, parts: list[CompletedPartTypeDef]) -> None:
        def complete(condition: dict[str, str]) -> None:
            try:
                self._bucket.client.complete_multipart_upload(
                    Bucket=self._bucket.name,
                    Key=key,
                    UploadId=upload,
                    MultipartUpload={"Parts": parts},
                    **condition,  # type: ignore[arg-type]
                )
            except ClientError as error:
                if code(error) in PRESENT and condition:
                    complete({})  # the caller has seen that what lies there is not this content
                elif code(error) != "NoSuchUpload":  # otherwise an attempt whose answer was lost has done it
                    raise

        self._bucket.call(lambda: complete({"IfNoneMatch": "*"}))

    def _abort(self, key: str, upload: str) -> None:
        def abort() -> None:
            with contextlib.suppress(self._bucket.client.exceptions.NoSuchUpload):
                self._bucket.client.abort_multipart_upload(Bucket=self._bucket.name, Key=key, UploadId=upload)

        self._bucket.call(abort)


class _Sending:
    """The parts of one file: listed by the server, on their way, arrived."""

    def __init__(self, there: dict[int, PartTypeDef]) -> None:
        self._there = there
        self.waiting: dict[int, Future[CompletedPartTypeDef]] = {}
        self.parts: dict[int, CompletedPartTypeDef] = {}

    def has(self, number: int, content: bytes) -> bool:
        """Whether the server lists that part with that content."""
        if part := _same(self._there.get(number), content):
            self.parts[number] = part
        return number in self.parts

    def harvest(self, *, last: bool = False) -> None:
        """Take over what has arrived; `last`: wait for all. Raises what sending a part has raised."""
        for number, future in list(self.waiting.items()):
            if last or future.done():
                del self.waiting[number]
                self.parts[number] = future.result()

    def cancel(self) -> list[int]:
        """Give up the parts that no thread has taken (their numbers), and wait for the others."""
        given_up = [number for number, future in self.waiting.items() if future.cancel()]
        wait(self.waiting.values())
        return given_up


def _sizes(size: int) -> list[int]:
    part = part_size(size)
    return [min(part, size - start) for start in range(0, size, part)]


def _same(there: PartTypeDef | None, content: bytes) -> CompletedPartTypeDef | None:
    """The listed part, if it holds `content`."""
    if there is None or there["Size"] != len(content):
        return None
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    if listed := there.get("ChecksumSHA256"):
        if listed != checksum:
            return None
    elif there["ETag"].strip('"') != hashlib.md5(content, usedforsecurity=False).hexdigest():
        return None  # damaged, or encrypted so that the ETag says nothing: send it again
    return {"PartNumber": there["PartNumber"], "ETag": there["ETag"], "ChecksumSHA256": checksum}
