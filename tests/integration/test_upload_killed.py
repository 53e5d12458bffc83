"""An upload to a real S3 that is killed with SIGKILL three times in the middle, and goes on each time.

CORESPEC_UPLOAD_FILES (300) and CORESPEC_UPLOAD_MB (64, the one large file) make it as large as one likes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.upload import write_files
from reconciler.dataset import manifest
from reconciler.objectstore import is_complete
from reconciler.s3store import S3Store

pytestmark = pytest.mark.integration

_S3 = ("CORESPEC_S3_ENDPOINT", "CORESPEC_S3_ACCESS_KEY", "CORESPEC_S3_SECRET_KEY")
_ROOT = Path(__file__).resolve().parents[2]
#: Peak memory of an upload, MB, whatever its size: 96 of files and parts, the rest Python and boto3.
_MOST_MEMORY = 260
_PREFIX = "killed/0123456789ab"
_CHILD = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from reconciler.dataset import manifest
from reconciler.s3store import S3Store
from reconciler import upload as uploading

uploading.REPORT_SECONDS = 0.0  # each step, so that the parent kills in time
folder, bucket, prefix, cache = sys.argv[1:]
endpoint, access, secret = (os.environ["CORESPEC_S3_" + n] for n in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"))
say = lambda state: print(json.dumps(asdict(state)), flush=True)
store = S3Store(bucket, endpoint=endpoint, access_key_id=access, secret_access_key=secret)
uploading.upload(store, prefix, manifest(Path(folder), Path(cache)), say)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0])  # kB of this program; ru_maxrss would begin with what forked it
print(json.dumps({"memory": peak / 1000}), flush=True)
"""


@pytest.fixture
def store() -> S3Store:
    if not all(name in os.environ for name in _S3):
        pytest.skip("needs a Ceph RGW: start one with tests/integration/ceph_rgw.sh and set CORESPEC_S3_*")
    endpoint, access, secret = (os.environ[name] for name in _S3)
    name = f"corespec-{uuid.uuid4().hex[:12]}"
    made = S3Store(name, endpoint=endpoint, access_key_id=access, secret_access_key=secret)
    made.bucket.client.create_bucket(Bucket=name)
    return made


def _reports(folder: Path, store: S3Store, cache: Path, until: float) -> Iterator[dict[str, Any]]:
    """What a child says until it has brought that share of the bytes and is killed, or has ended."""
    command = [sys.executable, "-c", _CHILD, str(folder), store.bucket.name, _PREFIX, str(cache)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            report: dict[str, Any] = json.loads(line)
            yield report
            if "bytes" in report and report["bytes_done"] / report["bytes"] >= until:
                child.kill()
                break


@pytest.mark.timeout(1800 if "CORESPEC_UPLOAD_MB" in os.environ else 300)
def test_killed_three_times_and_whole_in_the_end(store: S3Store, tmp_path: Path) -> None:
    """No marker before the end, every object's SHA-256 right after it, nothing sent twice, memory flat."""
    folder = tmp_path / "data"
    folder.mkdir()
    files, large = (int(os.environ.get(f"CORESPEC_UPLOAD_{n}", d)) for n, d in (("FILES", 300), ("MB", 64)))
    write_files(folder, files, large)
    data = manifest(folder)
    sent = 0
    for until in (0.2, 0.45, 0.7):
        last = [*_reports(folder, store, tmp_path / "cache", until)][-1]
        assert last["bytes_done"] < last["bytes"], "it was too fast to be killed"
        sent += last["sent_bytes"]
        assert not is_complete(store, _PREFIX, data.fingerprint)
    *_, last, end = _reports(folder, store, tmp_path / "cache", 2.0)
    assert last["files_done"] == files + 1
    assert sent + last["sent_bytes"] <= data.bytes
    assert end["memory"] < _MOST_MEMORY
    assert is_complete(store, _PREFIX, data.fingerprint)
    client, name = store.bucket.client, store.bucket.name
    for file in data.files:
        body = client.get_object(Bucket=name, Key=f"{_PREFIX}/{file.path}")["Body"]
        digest = hashlib.sha256()
        for chunk in body.iter_chunks(1 << 20):
            digest.update(chunk)
        assert digest.hexdigest() == file.sha256, file.path
    assert not client.list_multipart_uploads(Bucket=name).get("Uploads")
