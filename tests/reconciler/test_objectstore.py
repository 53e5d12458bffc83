"""Uploads arrive whole, are resumed, and vouch for themselves; the same behaviour on a folder and on S3."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from reconciler.dataset import DatasetFile, DatasetManifest, manifest
from reconciler.directorystore import DirectoryStore
from reconciler.errors import (
    AuthenticationError,
    ConflictError,
    DatasetError,
    InputRejectedError,
    TransientError,
)
from reconciler.objectstore import ObjectStore, is_complete, marker_key
from reconciler.s3client import DELAYS
from reconciler.s3store import S3Store
from reconciler.upload import UploadProgress, upload
from tests.reconciler.fake import FakeClock

PREFIX = "meters/digits/0123456789ab"
_CEPH = ("CORESPEC_S3_ENDPOINT", "CORESPEC_S3_ACCESS_KEY", "CORESPEC_S3_SECRET_KEY")


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """An S3 server in this process."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


def _bucket(endpoint: str, access: str, secret: str) -> str:
    name = f"corespec-{uuid.uuid4().hex[:12]}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["directory", "moto", "ceph"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    if request.param == "moto":
        endpoint, access, secret = request.getfixturevalue("moto"), "test", "test"
    else:
        if not all(name in os.environ for name in _CEPH):
            pytest.skip(
                "needs a Ceph RGW: start one with tests/integration/ceph_rgw.sh and set CORESPEC_S3_*"
            )
        endpoint, access, secret = (os.environ[name] for name in _CEPH)
    bucket = _bucket(endpoint, access, secret)
    return S3Store(bucket, "some/prefix", endpoint=endpoint, access_key_id=access, secret_access_key=secret)


@pytest.fixture
def data(tmp_path: Path) -> DatasetManifest:
    source = tmp_path / "data"
    (source / "sub folder").mkdir(parents=True)
    for index in range(5):
        (source / "sub folder" / f"ü {index}.txt").write_text(str(index) * 10)
    (source / "empty").write_bytes(b"")
    return manifest(source)


def test_a_complete_upload_says_so_and_is_not_repeated(store: ObjectStore, data: DatasetManifest) -> None:
    """The marker lies beside the prefix and is written last; a second upload sends no byte."""
    assert not is_complete(store, PREFIX, data.fingerprint)
    seen: list[UploadProgress] = []
    upload(store, PREFIX, data, seen.append)
    assert is_complete(store, PREFIX, data.fingerprint)
    assert seen[0] == UploadProgress(0, 6, 0, 50, 0)
    assert seen[-1] == UploadProgress(6, 6, 50, 50, 50)
    seen.clear()
    upload(store, PREFIX, data, seen.append)
    assert set(seen) == {UploadProgress(6, 6, 50, 50, 0)}
    marker = json.loads(store.read(marker_key(PREFIX)) or b"")
    assert marker["fingerprint"] == data.fingerprint
    assert len(marker["files"]) == 6


def test_a_listing_tells_sizes_and_opens_nothing(store: ObjectStore, data: DatasetManifest) -> None:
    """By path below the prefix; the marker and a neighbour are not below it; nothing there is nothing."""
    assert store.sizes(PREFIX) == {}
    upload(store, PREFIX, data)
    store.write(f"{PREFIX}-neighbour/a", b"a")
    assert store.sizes(PREFIX) == {file.path: file.size for file in data.files}


def test_a_broken_upload_is_no_upload_and_goes_on_where_it_stopped(
    store: ObjectStore, data: DatasetManifest
) -> None:
    """Without its marker nothing is complete; what arrived is recognised by content."""
    for file in data.files[:2]:
        store.put(PREFIX, data.source, file)
    assert not is_complete(store, PREFIX, data.fingerprint)
    seen: list[UploadProgress] = []
    upload(store, PREFIX, data, seen.append)
    assert seen[0].files_done == 2
    assert is_complete(store, PREFIX, data.fingerprint)


def test_damaged_content_is_sent_again(store: ObjectStore, data: DatasetManifest) -> None:
    """Same name, other bytes: not the same file."""
    upload(store, PREFIX, data)
    store.write(f"{PREFIX}/{data.files[1].path}", b"x" * data.files[1].size)
    assert data.files[1].path not in store.stored(PREFIX, data.files)


def test_another_dataset_under_the_same_prefix_is_a_conflict(
    store: ObjectStore, data: DatasetManifest
) -> None:
    """Twelve digits of two fingerprints may agree; the marker holds all of them."""
    upload(store, PREFIX, data)
    with pytest.raises(ConflictError):
        is_complete(store, PREFIX, "0" * 64)


def test_an_unreadable_marker_proves_nothing(store: ObjectStore, data: DatasetManifest) -> None:
    """The upload is simply done again."""
    store.write(marker_key(PREFIX), b"{")
    assert not is_complete(store, PREFIX, data.fingerprint)


def test_a_file_that_changed_since_it_was_hashed_is_refused(
    store: ObjectStore, data: DatasetManifest
) -> None:
    """Neither another size nor the same size with other bytes may pass under the old fingerprint."""
    victim = next(file for file in data.files if file.size)
    (data.source / victim.path).write_text("y" * victim.size)
    with pytest.raises(DatasetError, match="changed while"):
        upload(store, PREFIX, data)
    assert not is_complete(store, PREFIX, data.fingerprint)
    assert victim.path not in store.stored(PREFIX, data.files)


def test_a_file_that_vanished_is_refused(store: ObjectStore, data: DatasetManifest) -> None:
    """With its name, and exit code 2."""
    (data.source / "empty").unlink()
    with pytest.raises(InputRejectedError):
        upload(store, PREFIX, data)


def test_large_files_travel_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    """Above 16 MiB S3 gets a multipart upload; content is recognised all the same."""
    source = tmp_path / "large"
    source.mkdir()
    (source / "big.bin").write_bytes(bytes(range(256)) * 70_000)
    big = manifest(source)
    upload(store, PREFIX, big)
    assert store.stored(PREFIX, big.files) == {"big.bin"}


def test_nothing_unfinished_lies_in_the_folder(tmp_path: Path, data: DatasetManifest) -> None:
    """A trainer that reads the folder sees data alone, whenever it looks."""
    store = DirectoryStore(tmp_path / "store")
    upload(store, PREFIX, data)
    found = {
        path.relative_to(tmp_path / "store" / PREFIX).as_posix()
        for path in _files(tmp_path / "store" / PREFIX)
    }
    assert found == {file.path for file in data.files}
    assert _files(tmp_path / "store" / ".corespec-unfinished") == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_path_must_not_leave_the_store(tmp_path: Path) -> None:
    """`..` in a dataset's path is an input error."""
    with pytest.raises(InputRejectedError, match="leads out"):
        DirectoryStore(tmp_path).read("../secret")


def test_a_store_that_is_a_file(tmp_path: Path, data: DatasetManifest) -> None:
    """The machine's own reason, and which field to look at."""
    (tmp_path / "store").write_text("x")
    with pytest.raises(InputRejectedError, match="cannot be used") as raised:
        upload(DirectoryStore(tmp_path / "store"), PREFIX, data)
    assert "objectStores" in raised.value.remedy


def test_a_bucket_that_is_not_there(moto: str, data: DatasetManifest) -> None:
    """An input error that names the bucket, not a stack trace."""
    store = S3Store("no-such-bucket", endpoint=moto, access_key_id="test", secret_access_key="test")
    with pytest.raises(InputRejectedError, match="no-such-bucket"):
        store.stored(PREFIX, data.files)


def test_an_endpoint_that_does_not_answer() -> None:
    """Transient, repeated on our own clock, and no secret in the message."""
    clock = FakeClock()
    begin = clock.now()
    store = S3Store(
        "b",
        endpoint="http://127.0.0.1:9",
        access_key_id="key",
        secret_access_key="hidden-value",
        clock=clock,
    )
    with pytest.raises(TransientError) as raised:
        store.read("x")
    assert "hidden-value" not in str(raised.value)
    assert (clock.now() - begin).total_seconds() == sum(DELAYS)


def test_credentials_that_do_not_work() -> None:
    """Refused credentials are an input error: exit code 2."""
    if not all(name in os.environ for name in _CEPH):
        pytest.skip("needs a Ceph RGW: start one with tests/integration/ceph_rgw.sh and set CORESPEC_S3_*")
    store = S3Store(
        "b", endpoint=os.environ[_CEPH[0]], access_key_id="nobody", secret_access_key="hidden-value"
    )
    with pytest.raises(AuthenticationError) as raised:
        store.read("x")
    assert "hidden-value" not in str(raised.value)


def test_two_files_of_one_content_are_two_objects(store: ObjectStore, tmp_path: Path) -> None:
    """Content identifies the dataset, names identify its files."""
    source = tmp_path / "twins"
    source.mkdir()
    for name in ("a", "b"):
        (source / name).write_text("same")
    twins = manifest(source)
    upload(store, PREFIX, twins)
    assert store.stored(PREFIX, (*twins.files, replace(twins.files[0], path="c"))) == {"a", "b"}
    assert store.stored(PREFIX, (DatasetFile("a", 4, "0" * 64),)) == frozenset()
