"""Which form a dataset's source has, and its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from generator.spec.document import Dataset
from reconciler.clock import Clock
from reconciler.dataset import DatasetManifest, manifest
from reconciler.objectstore import ObjectStore
from reconciler.sources.archive import is_archive

if TYPE_CHECKING:
    from reconciler.s3client import Bucket


def read_dataset(
    dataset: Dataset, root: Path, cache: Path, clock: Clock, stores: Iterable[ObjectStore] = ()
) -> DatasetManifest:
    """The content of a dataset of the project in `root`.

    A bucket is read with the key of the object store in `stores` that lies in it, otherwise with what boto3
    finds. Raises DatasetError, and for what lies elsewhere AuthenticationError and TransientError.
    """
    scheme = urlsplit(dataset.source).scheme if "://" in dataset.source else ""
    if scheme == "https" and dataset.sha256:
        from reconciler.sources.unpacked import download_manifest  # requests, only where it is needed

        return download_manifest(dataset.source, dataset.sha256, cache, clock)
    if scheme == "s3":
        from reconciler.sources.bucket import bucket_manifest  # boto3, only where it is needed

        name, _, prefix = dataset.source.removeprefix("s3://").partition("/")
        return bucket_manifest(_bucket(name, stores, clock), prefix.strip("/"), cache, clock)
    path = root / dataset.source
    if path.is_file() and is_archive(path.name):
        from reconciler.sources.unpacked import archive_manifest

        return archive_manifest(path, cache, clock)
    return manifest(path, cache, clock)


def _bucket(name: str, stores: Iterable[ObjectStore], clock: Clock) -> Bucket:
    from reconciler.s3client import Bucket
    from reconciler.s3store import S3Store

    own = (s.bucket for s in stores if isinstance(s, S3Store) and s.bucket.name == name)
    return next(own, None) or Bucket(name, clock=clock)
