"""`aws s3 sync` of the AWS command line, installed by the benchmark alone into an environment of its own."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

from benchmarks.report import PeerMissingError


def command(folder: Path) -> Path:
    """The `aws` of an environment in `folder`, made on first use. Raises PeerMissingError."""
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "awscli"]
        done = subprocess.run(
            [*install, "--disable-pip-version-check"], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise PeerMissingError(f"pip could not install awscli: {done.stderr.strip()[-400:]}")
        (folder / "complete").touch()
    return folder / "bin" / "aws"
