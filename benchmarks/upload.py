"""A dataset into an empty bucket of a real S3: ours against `aws s3 sync` on the same files.

Small files of 1 to 200 kB in folders, and one large file, all random. Both run as fresh processes, in turns,
each time into a bucket of its own; the fastest run of each counts. Ours hashes every file before (without a
cache) and writes its manifest after; the peer compares names, sizes and times.

Needs the S3 that the CORESPEC_S3_* variables name: `tests/integration/ceph_rgw.sh start DIR`, with
CORESPEC_RGW_BYTES large enough for all runs together (it frees nothing at once).

ratio = seconds of aws / ours: above 1 we are faster.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3

from benchmarks import report
from benchmarks.peers import awscli

_ROOT = Path(__file__).resolve().parents[1]
_S3 = ("CORESPEC_S3_ENDPOINT", "CORESPEC_S3_ACCESS_KEY", "CORESPEC_S3_SECRET_KEY")
_MIB = 1 << 20
_OURS, _PEER = "corespec", "aws s3 sync"


@dataclass(frozen=True)
class Run:
    """What one process has used: seconds of the wall and of the processor, bytes of memory at its peak."""

    seconds: float
    cpu: float
    memory: int


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = report.parser(__doc__)
    parser.add_argument("--files", type=report.positive, default=5000, help="small files (default 5000)")
    parser.add_argument(
        "--large", type=int, default=2000, help="MB of the one large file; 0 for none (default 2000)"
    )
    parser.add_argument("--repeats", type=report.positive, default=1, help="runs of each (default 1)")
    options = parser.parse_args(arguments)
    if missing := [name for name in _S3 if name not in os.environ]:
        parser.error(f"set {', '.join(missing)}: tests/integration/ceph_rgw.sh starts an S3")
    report.show(measure(options), options.output)
    return 0


def measure(options: argparse.Namespace) -> report.Report:
    """Upload with each contender in turns."""
    made = report.Report(
        "upload of a dataset to S3",
        {"files": options.files, "large, MB": options.large, "repeats": options.repeats},
    )
    contenders = {_OURS: _ours}
    try:
        aws = awscli.command(_ROOT / ".cache" / "benchmarks" / "awscli")
        contenders[_PEER] = lambda data, bucket: _aws(aws, data, bucket)
    except report.PeerMissingError as missing:
        made.skipped[_PEER] = str(missing)
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory(prefix="corespec-bench-") as folder:
        size = write_files(Path(folder), options.files, options.large)
        for _ in range(options.repeats):
            for name, command in contenders.items():
                runs[name].append(_run(command(Path(folder), _bucket())))
    for name, done in runs.items():
        best = min(done, key=lambda run: run.seconds)
        figures = {"seconds": best.seconds, "MB/s": size / 1e6 / best.seconds, "cpu seconds": best.cpu}
        made.rows.append(report.Row(name, {**figures, "peak MB": best.memory / 1e6}))
    if _PEER in runs:
        ours, peer = (min(run.seconds for run in runs[name]) for name in (_OURS, _PEER))
        made.compare(f"seconds: {_PEER} / {_OURS}", ours, peer)
    return made


def write_files(folder: Path, files: int, large: int) -> int:
    """Random files of 1 to 200 kB in twenty folders, and one of `large` MB; their bytes together."""
    source, total = random.Random(20), 0
    for number in range(files):
        path = folder / f"part-{number % 20:02}" / f"{number:06}.bin"
        path.parent.mkdir(exist_ok=True)
        total += path.write_bytes(source.randbytes(source.randint(1000, 200_000)))
    if large:
        with (folder / "large.bin").open("wb") as stream:
            for start in range(0, large * 1_000_000, _MIB):
                total += stream.write(source.randbytes(min(_MIB, large * 1_000_000 - start)))
    return total


def _bucket() -> str:
    """A new bucket."""
    endpoint, access, secret = (os.environ[name] for name in _S3)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    name = f"bench-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


def _ours(data: Path, bucket: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peers.upload", str(data), bucket, "data"]


def _aws(aws: Path, data: Path, bucket: str) -> list[str]:
    endpoint = os.environ[_S3[0]]
    return [str(aws), "--endpoint-url", endpoint, "s3", "sync", "--quiet", str(data), f"s3://{bucket}/data"]


def _run(command: list[str]) -> Run:
    keys = {"AWS_ACCESS_KEY_ID": os.environ[_S3[1]], "AWS_SECRET_ACCESS_KEY": os.environ[_S3[2]]}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=_ROOT, env={**os.environ, **keys, "AWS_DEFAULT_REGION": "us-east-1"}
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … ended with exit code {process.returncode}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


if __name__ == "__main__":
    raise SystemExit(main())
