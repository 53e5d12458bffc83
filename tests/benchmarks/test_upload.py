"""The upload benchmark in a small size: our figures come with and without the peer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import upload
from benchmarks.report import PeerMissingError


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("CORESPEC_S3_ENDPOINT", f"http://{host}:{port}")
    monkeypatch.setenv("CORESPEC_S3_ACCESS_KEY", "test")
    monkeypatch.setenv("CORESPEC_S3_SECRET_KEY", "test")
    yield
    running.stop()


def test_files_are_as_many_and_as_large_as_asked(tmp_path: Path) -> None:
    """And the same at every run."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    sizes = [upload.write_files(tmp_path / name, 30, 1) for name in ("a", "b")]
    files = list((tmp_path / "a").rglob("*.bin"))
    assert len(files) == 31
    assert sizes == [sum(path.stat().st_size for path in files)] * 2
    assert all(1000 <= path.stat().st_size <= 200_000 for path in files if path.name != "large.bin")


@pytest.mark.usefixtures("s3")
def test_without_the_peer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the reason, and ours is measured all the same."""

    def missing(folder: Path) -> Path:
        raise PeerMissingError("pip could not install awscli")

    monkeypatch.setattr("benchmarks.peers.awscli.command", missing)
    assert upload.main(["--files", "3", "--large", "0", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["rows"]] == ["corespec"]
    assert document["skipped"] == {"aws s3 sync": "pip could not install awscli"}


@pytest.mark.usefixtures("s3")
def test_with_a_peer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does nothing is faster than we are, and the ratio says so."""
    monkeypatch.setattr("benchmarks.peers.awscli.command", lambda folder: Path("aws"))
    monkeypatch.setattr(upload, "_aws", lambda aws, data, bucket: [sys.executable, "-S", "-c", ""])
    assert upload.main(["--files", "3", "--large", "0", "-o", "json"]) == 0
    (ratio,) = json.loads(capsys.readouterr().out)["ratios"].values()
    assert 0 < ratio < 1
