"""S3 object stores: registered through the API, used by the engine through boto3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ai_core_sdk.models import Status

from localcore.errors import ObjectStoreError
from localcore.s3 import S3Store

server = pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
KEYS = {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "s3cr3t-canary"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    found = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket="bucket")
    return client


def _secret(endpoint: str, **fields: str) -> dict[str, Any]:
    return {
        "name": "s",
        "bucket": "bucket",
        "pathPrefix": "/pre/",
        "endpoint": endpoint,
        "data": KEYS,
        **fields,
    }


def test_prefixes_are_folders(endpoint: str, bucket: Any, tmp_path: Path) -> None:
    """Proves: only what lies below the path comes, not what merely begins like it; files travel too."""
    store = S3Store(_secret(endpoint))
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "f").write_text("1")
    store.upload(tmp_path / "in", "set")
    store.upload(tmp_path / "in" / "deep" / "f", "settle")
    keys = [entry["Key"] for entry in bucket.list_objects_v2(Bucket="bucket", Prefix="pre/set")["Contents"]]
    assert keys == ["pre/set/deep/f", "pre/settle"]
    assert store.download("set", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["deep"]
    assert store.download("settle", tmp_path / "one")
    assert (tmp_path / "one").read_text() == "1"
    assert not store.download("absent", tmp_path / "none")


def test_names_cannot_climb_out(endpoint: str, bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Bucket="bucket", Key="pre/evil/../../escaped", Body=b"x")
    with pytest.raises(ObjectStoreError, match="leaves its folder"):
        S3Store(_secret(endpoint)).download("evil", tmp_path / "deep" / "out")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"bucket": "absent"}, "NoSuchBucket"), ({"endpoint": "http://127.0.0.1:9"}, "Error")],
)
def test_failures_name_the_store_and_no_credential(
    endpoint: str, bucket: Any, tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(ObjectStoreError, match=message) as failed:
        S3Store(_secret(**{"endpoint": endpoint, **fields})).download("x", tmp_path / "out")
    assert "s3 bucket" in str(failed.value)
    assert "canary" not in str(failed.value)


def test_an_execution_on_s3(core: Any, gitops: Any, support: Any, endpoint: str, bucket: Any) -> None:
    """Proves: input from one S3 store, output to `default` when that is S3; no file keeps credentials."""
    client = core.client()
    fields = {"type": "S3", "data": KEYS, "bucket": "bucket", "endpoint": endpoint, "region": "us-east-1"}
    client.object_store_secrets.create(name="lake", path_prefix="pre", **fields)
    client.object_store_secrets.modify(name="default", path_prefix="models", **fields)
    bucket.put_object(Bucket="bucket", Key="pre/data/a.txt", Body=b"hello")
    main = support.shell(
        "main",
        "mkdir /out; cp /in/a.txt /out/b.txt",
        inputs={"artifacts": [{"name": "data", "path": "/in"}]},
        outputs={"artifacts": [{"name": "m", "globalName": "m", "path": "/out", "archive": {"none": {}}}]},
    )
    gitops.write("templates/lake.yaml", support.template("lake", [main]))
    core.sync(gitops)
    found = core.finished(core.execute("lake", inputs={"data": "ai://lake/data"}))
    assert found.status == Status.COMPLETED, found.status_message
    assert found.output_artifacts[0].url == f"ai://default/{found.id}/m"
    stored = bucket.get_object(Bucket="bucket", Key=f"models/{found.id}/m/b.txt")
    assert stored["Body"].read() == b"hello"
    for path in (core.data / "executions").rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes()
