"""Environments of their own for peers that Corespec does not depend on; they borrow torch from this one."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import PeerMissingError


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """The Python of an environment with these packages, made on first use. Raises PeerMissingError.

    Every package is named: what a package asks for itself could pull in another torch.
    """
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*install, *requirements], check=False, capture_output=True, text=True)
    if done.returncode:
        raise PeerMissingError(f"pip could not install {requirements[0]}: {done.stderr.strip()[-400:]}")
    (folder / "complete").touch()
    return python
