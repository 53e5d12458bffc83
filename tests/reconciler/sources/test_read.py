"""Each form of a source gives a manifest; what is cached changes nothing but speed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from generator.spec.document import Dataset
from reconciler.dataset import DatasetManifest, manifest
from reconciler.directorystore import DirectoryStore
from reconciler.errors import DatasetError, InputRejectedError
from reconciler.objectstore import ObjectStore
from reconciler.s3store import S3Store
from reconciler.sources.read import read_dataset
from reconciler.upload import upload
from tests.reconciler.fake import FakeClock
from tests.reconciler.sources.test_archive import FILES, packed

_CEPH = ("CORESPEC_S3_ENDPOINT", "CORESPEC_S3_ACCESS_KEY", "CORESPEC_S3_SECRET_KEY")


def read(source: str, root: Path, *stores: ObjectStore) -> DatasetManifest:
    return read_dataset(Dataset(source=source, path="data"), root, root / "cache", FakeClock(), stores)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        (tmp_path / "plain" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plain" / path).write_bytes(content)
    return tmp_path / "plain"


@pytest.fixture(params=["moto", "ceph"])
def bucket(request: pytest.FixtureRequest) -> Iterator[S3Store]:
    if request.param == "moto":
        server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
        running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
        host, port = running.get_host_and_port()
        keys = (f"http://{host}:{port}", "test", "test")
    elif all(name in os.environ for name in _CEPH):
        running, keys = None, tuple(os.environ[name] for name in _CEPH)
    else:
        pytest.skip("needs a Ceph RGW: start one with tests/integration/ceph_rgw.sh and set CORESPEC_S3_*")
    endpoint, access, secret = keys
    name = f"corespec-{uuid.uuid4().hex[:12]}"
    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    ).create_bucket(Bucket=name)
    yield S3Store(name, "its/prefix", endpoint=endpoint, access_key_id=access, secret_access_key=secret)
    if running:
        running.stop()


def test_a_folder_and_its_archive_are_one_dataset(plain: Path, tmp_path: Path) -> None:
    """So nothing is trained again because somebody packs the folder."""
    packed(tmp_path / "plain.tgz", FILES)
    wanted = manifest(plain)
    assert read("plain", tmp_path) == wanted
    found = read("plain.tgz", tmp_path)
    assert (found.fingerprint, found.files) == (wanted.fingerprint, wanted.files)
    shutil.rmtree(tmp_path / "cache")
    assert read("plain.tgz", tmp_path) == found


def test_another_archive_of_the_same_name_is_read(tmp_path: Path) -> None:
    """The cache knows it by content."""
    packed(tmp_path / "a.zip", FILES)
    first = read("a.zip", tmp_path)
    packed(tmp_path / "a.zip", FILES | {"more": b"more"})
    assert read("a.zip", tmp_path).fingerprint != first.fingerprint


def test_what_is_neither_folder_nor_archive(tmp_path: Path) -> None:
    """The forms that there are, in the message; so for what is absent."""
    (tmp_path / "a.rar").write_bytes(b"x")
    with pytest.raises(DatasetError, match="neither"):
        read("a.rar", tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        read("b.zip", tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """An input error that names it."""
    packed(tmp_path / "a.zip", FILES)
    (tmp_path / "cache").write_text("")
    with pytest.raises(DatasetError, match="cache folder"):
        read("a.zip", tmp_path)


def test_a_prefix_of_a_bucket_is_a_dataset(bucket: S3Store, plain: Path, tmp_path: Path) -> None:
    """Same fingerprint as the folder; what we uploaded is not downloaded before somebody opens it."""
    wanted = manifest(plain)
    upload(bucket, "there", wanted)
    source = f"s3://{bucket.bucket.name}/its/prefix/there"
    found = read(source, tmp_path, DirectoryStore(tmp_path), bucket)
    assert (found.fingerprint, found.files) == (wanted.fingerprint, wanted.files)
    assert not found.source.exists()
    found.fetch()
    assert manifest(found.source).fingerprint == wanted.fingerprint
    (found.source / "train.txt").write_text("somebody was here")
    (found.source / "more").write_text("and here")
    found.fetch()
    assert manifest(found.source).fingerprint == wanted.fingerprint


def test_what_others_put_there_is_hashed_once(
    bucket: S3Store, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a checksum an object is downloaded; by its ETag it is known the next time."""
    bucket.write("there/JPEGImages/a.jpg", b"a")
    bucket.write("there/train.txt", b"a")
    bucket.write("there/.DS_Store", b"")
    source = f"s3://{bucket.bucket.name}/its/prefix/there/"
    (tmp_path / "local" / "JPEGImages").mkdir(parents=True)
    (tmp_path / "local" / "JPEGImages" / "a.jpg").write_bytes(b"a")
    (tmp_path / "local" / "train.txt").write_bytes(b"a")
    first = read(source, tmp_path, bucket)
    assert first.fingerprint == manifest(tmp_path / "local").fingerprint
    with monkeypatch.context() as patched:
        patched.setattr(bucket.bucket.client, "get_object", None)
        patched.setattr(bucket.bucket.client, "head_object", None)
        assert read(source, tmp_path, bucket) == first
    bucket.write("there/train.txt", b"b")
    assert read(source, tmp_path, bucket).fingerprint != first.fingerprint


def test_a_folder_that_becomes_a_file(bucket: S3Store, tmp_path: Path) -> None:
    """And back: the copy follows the bucket."""
    client, name = bucket.bucket.client, bucket.bucket.name
    for old, new in ((None, "there/a/b"), ("there/a/b", "there/a"), ("there/a", "there/a/b/c")):
        if old:
            client.delete_object(Bucket=name, Key=old)
        client.put_object(Bucket=name, Key=new, Body=new.encode())
        found = read(f"s3://{name}/there", tmp_path, bucket)
        found.fetch()
        assert [file.path for file in manifest(found.source).files] == [new.removeprefix("there/")]


def test_a_dataset_of_a_bucket_is_uploaded_to_another_store(
    bucket: S3Store, plain: Path, tmp_path: Path
) -> None:
    """It is fetched for that; whole and verified."""
    upload(bucket, "there", manifest(plain))
    found = read(f"s3://{bucket.bucket.name}/its/prefix/there", tmp_path, bucket)
    upload(DirectoryStore(tmp_path / "store"), "copy", found)
    assert manifest(tmp_path / "store" / "copy").fingerprint == found.fingerprint


@pytest.mark.parametrize("key", ["there/../../../outside", "there//a", "there/a\\b", "there/a/b"])
def test_keys_that_are_no_paths(bucket: S3Store, tmp_path: Path, key: str) -> None:
    """Anybody may have written them: they are refused before anything is written."""
    client, name = bucket.bucket.client, bucket.bucket.name
    for each in ("there/a", key):
        client.put_object(Bucket=name, Key=each, Body=b"x")
    with pytest.raises(DatasetError, match="Rename the object"):
        read(f"s3://{name}/there", tmp_path, bucket)


def test_an_empty_prefix(bucket: S3Store, tmp_path: Path) -> None:
    """Is a mistake in the spec."""
    with pytest.raises(DatasetError, match="holds no files"):
        read(f"s3://{bucket.bucket.name}/nothing", tmp_path, bucket)


def test_a_name_that_no_bucket_has(bucket: S3Store, tmp_path: Path) -> None:
    """Found out before anything is sent, and never tried again."""
    with pytest.raises(InputRejectedError, match="no bucket's name"):
        read("s3://no bucket/x", tmp_path)


def test_a_checksum_that_lies(bucket: S3Store, tmp_path: Path) -> None:
    """Metadata is believed until the bytes are here."""
    bucket.bucket.client.put_object(
        Bucket=bucket.bucket.name, Key="there/a", Body=b"x", Metadata={"sha256": "0" * 64}
    )
    found = read(f"s3://{bucket.bucket.name}/there", tmp_path, bucket)
    with pytest.raises(DatasetError, match="checksum"):
        found.fetch()
    assert not (found.source / "a").exists()
