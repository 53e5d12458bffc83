"""`s3://bucket/prefix` as a dataset: hashed by the server's checksums where it has them, fetched when opened.

An object is known by (key, size, ETag): one that has not changed is neither asked about nor read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from generator.fingerprint import manifest_fingerprint
from reconciler.clock import Clock
from reconciler.dataset import IGNORED_NAMES, DatasetFile, DatasetManifest, manifest
from reconciler.errors import DatasetError
from reconciler.files import write_atomically
from reconciler.s3client import Bucket, object_sha256
from reconciler.sources.names import Refused, safe_parts

T = TypeVar("T")
Item = TypeVar("Item")

_WORKERS = 8
_CHUNK = 1 << 20
#: path -> (size, ETag)
_Listing = dict[str, tuple[int, str]]


def bucket_manifest(bucket: Bucket, prefix: str, cache: Path, clock: Clock) -> DatasetManifest:
    """The objects below `prefix`, which is a full key. Raises DatasetError and what the bucket raises."""
    where = f"s3://{bucket.name}/{prefix}"
    identity = hashlib.sha256(json.dumps([bucket.where, prefix]).encode()).hexdigest()
    mirror = _Mirror(bucket, f"{prefix}/" if prefix else "", cache / identity, cache, clock)
    with mirror.guarded():
        listing = mirror.listed(where)
        hashes = mirror.hashes(listing)
    files = tuple(sorted(DatasetFile(path, listing[path][0], hashes[path]) for path in listing))
    fingerprint = manifest_fingerprint((f.path, f.size, f.sha256) for f in files)
    return DatasetManifest(mirror.content, files, fingerprint, fetch=lambda: mirror.fetch(files, where))


class _Mirror:
    """The copy of one prefix in the cache, and what is known about its objects."""

    def __init__(self, bucket: Bucket, prefix: str, place: Path, cache: Path, clock: Clock) -> None:
        self._bucket, self._prefix, self._cache, self._clock = bucket, prefix, cache, clock
        self.content = place / "content"
        self._place, self._index = place, place / "index.json"

    def guarded(self) -> FileLock:
        self._place.mkdir(parents=True, exist_ok=True)
        return FileLock(self._place / "lock")

    def listed(self, where: str) -> _Listing:
        """Every object below the prefix, markers of folders and desktop litter aside."""

        def pages() -> _Listing:
            found = self._bucket.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket.name, Prefix=self._prefix
            )
            return {
                item["Key"].removeprefix(self._prefix): (item["Size"], item["ETag"])
                for page in found
                for item in page.get("Contents", ())
                if not item["Key"].endswith("/")
            }

        listing = {
            path: entry
            for path, entry in self._bucket.call(pages).items()
            if not IGNORED_NAMES.intersection(path.split("/"))
        }
        for path in listing:
            try:
                parts = safe_parts(path)
                above = {"/".join(parts[:end]) for end in range(1, len(parts))}
                if "/".join(parts) != path or above & listing.keys():
                    raise Refused(f"the key {path!r} is no path of a file")
            except Refused as reason:
                raise DatasetError(
                    f"{where} cannot be used: {reason}.", remedy="Rename the object."
                ) from None
        if not listing:
            raise DatasetError(
                f"{where} holds no files.", remedy="Correct datasets.<name>.source, or put the files there."
            )
        return listing

    def hashes(self, listing: _Listing) -> dict[str, str]:
        """path -> SHA-256 (hex): remembered, the server's checksum, or else that of what is downloaded."""
        known = self._remembered()
        for path in known.keys() - listing.keys():
            self._remove(path)
        new = [path for path, entry in listing.items() if known.get(path, ())[:2] != entry]
        found = dict(zip(new, self._parallel(self._hash, new), strict=True))
        hashes = {path: found[path] if path in found else known[path][2] for path in listing}
        entries = {path: [*listing[path], hashes[path]] for path in listing}
        if new or len(known) != len(entries):
            write_atomically(self._index, json.dumps(entries).encode())
        return hashes

    def _remembered(self) -> dict[str, tuple[int, str, str]]:
        try:
            found = json.loads(self._index.read_bytes())
            return {str(path): (int(size), str(tag), str(sha)) for path, (size, tag, sha) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # absent or damaged: ask again

    def _hash(self, path: str) -> str:
        key = self._prefix + path
        head = self._bucket.unless_absent(
            lambda: self._bucket.client.head_object(Bucket=self._bucket.name, Key=key, ChecksumMode="ENABLED")
        )
        return (head and object_sha256(head)) or self._download(path)

    def fetch(self, files: tuple[DatasetFile, ...], where: str) -> None:
        """Make the copy exactly `files`. Raises DatasetError where the bucket has moved on."""
        with self.guarded():
            self.content.mkdir(exist_ok=True)
            try:
                here = {file.path: file for file in manifest(self.content, self._cache, self._clock).files}
            except DatasetError:
                here = {}
            wanted = {file.path: file for file in files}
            for path in here.keys() - wanted.keys():
                self._remove(path)

            def bring(file: DatasetFile) -> None:
                if self._download(file.path) != file.sha256:
                    (self.content / file.path).unlink()
                    raise DatasetError(
                        f"{where}/{file.path} does not hold what its checksum says, or has just changed.",
                        remedy="Run again; if it stays, upload the object again.",
                    )

            self._parallel(bring, [file for path, file in wanted.items() if here.get(path) != file])

    def _remove(self, path: str) -> None:
        """Take a file out of the copy, and the folders that are empty then: a file may be called so now."""
        with contextlib.suppress(OSError):
            (self.content / path).unlink()
            for folder in (self.content / path).parents:
                if folder == self.content:
                    break
                folder.rmdir()

    def _download(self, path: str) -> str:
        """Bring one object into the copy; its SHA-256, hex."""
        target = self.content / path
        waiting = self._place / f"unfinished-{secrets.token_hex(8)}"

        def get() -> str:
            digest = hashlib.sha256()
            answer = self._bucket.client.get_object(Bucket=self._bucket.name, Key=self._prefix + path)
            with waiting.open("wb") as stream:
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    digest.update(chunk)
                    stream.write(chunk)
            return digest.hexdigest()

        try:
            found = self._bucket.call(get)
            target.parent.mkdir(parents=True, exist_ok=True)
            waiting.replace(target)
            return found
        except OSError as error:
            raise DatasetError(
                f"The cache folder {self._place} cannot be used: {error.strerror or error}",
                remedy="Check its permissions and the free space of the disk.",
            ) from None
        finally:
            waiting.unlink(missing_ok=True)

    def _parallel(self, work: Callable[[Item], T], items: list[Item]) -> list[T]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            try:
                return list(pool.map(work, items))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
