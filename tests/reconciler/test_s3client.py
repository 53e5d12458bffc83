"""Opening a bucket: cheap enough to be done in every round of a daemon."""

from __future__ import annotations

import pytest
from botocore.loaders import JSONFileLoader

from reconciler.s3client import Bucket


def test_a_second_bucket_reads_no_description_of_s3_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's descriptions of services are megabytes of JSON."""
    bucket = {"endpoint": "http://127.0.0.1:9", "access_key_id": "key", "secret_access_key": "secret"}
    first = Bucket("first", **bucket)
    read: list[str] = []
    load = JSONFileLoader.load_file

    def loaded(loader: JSONFileLoader, path: str) -> object:
        read.append(path)
        return load(loader, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", loaded)
    second = Bucket("second", **bucket)
    assert read == []
    assert second.client is not first.client


def test_every_bucket_has_its_own_credentials() -> None:
    """Only descriptions are shared."""
    made = [Bucket("b", access_key_id=key, secret_access_key=f"{key}-secret") for key in ("one", "two")]
    keys = [bucket.client._request_signer._credentials.access_key for bucket in made]  # type: ignore[attr-defined]
    assert keys == ["one", "two"]
