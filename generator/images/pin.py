"""Package lists become locks: every package an image installs, with the hashes of the wheels that fit.

`python -m generator.images.pin` reads each `NAME.in` of a folder (default: the built-in catalogue's) and
writes `NAME.txt` beside it, which `pip install --require-hashes` demands. Development only: it needs uv and a
package index. What it writes names neither the index nor this machine.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generator.catalog import BUILT_IN
from generator.images.errors import ImageError
from generator.images.requirements import Pin, lock_text

PLATFORM = "x86_64-manylinux_2_28"  # AI Core's machines; Debian 12 has glibc 2.36
PYTHON = "3.11"
FOLDER = BUILT_IN / "_shared" / "requirements"
_HEADER = (
    "# Every package of the image, with the hashes of its wheels for Linux x86-64 and CPython {python}.\n"
    "# Made from {name} by `python -m generator.images.pin`; edit that file, not this one.\n"
)


class PinError(ImageError):
    """The packages of a list cannot be resolved, or a package has no wheel that fits."""


def pins(document: Mapping[str, Any]) -> list[Pin]:
    """The packages of a parsed `pylock.toml` (PEP 751) whose wheels were narrowed to one platform.

    Raises PinError for a package that comes as source only: building it would need a compiler in the image.
    """
    return [_pin(package) for package in document.get("packages", ())]


def _pin(package: Mapping[str, Any]) -> Pin:
    hashes = sorted({wheel["hashes"]["sha256"] for wheel in package.get("wheels", ())})
    if not hashes:
        raise PinError(
            f"{package['name']} {package['version']} has no wheel for {PLATFORM} and CPython {PYTHON}",
            remedy="Pin a version that has one.",
        )
    return Pin(package["name"], package["version"], tuple(hashes))


def resolve(requirements: Path, wheels: Sequence[Path] = (), constraints: Sequence[Path] = ()) -> list[Pin]:
    """Resolve a list of packages with uv, for the images' platform rather than this machine's.

    Raises PinError with what uv said.
    """
    uv = shutil.which("uv", path=Path(sys.executable).parent.as_posix()) or shutil.which("uv")
    if uv is None:
        raise PinError("uv is not installed", remedy="Install it: `pip install uv`.")
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        command = [uv, "pip", "compile", "--quiet", "--format", "pylock.toml", "--no-header"]
        command += ["--python-platform", PLATFORM, "--python-version", PYTHON, "--only-binary", ":all:"]
        command += [word for path in wheels for word in ("--find-links", str(path))]
        command += [word for path in constraints for word in ("--constraints", str(path))]
        done = subprocess.run(
            [*command, "--output-file", str(lock), str(requirements)],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PinError(
                f"{requirements.name} cannot be resolved:\n{done.stderr.strip()}",
                remedy="Change the list; a wheel that no index has is found with --wheels DIR.",
            )
        return pins(tomllib.loads(lock.read_text(encoding="utf-8")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the lock of every list that is named, or of all."""
    parser = argparse.ArgumentParser(prog="python -m generator.images.pin", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="lists without `.in`; default: all")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the lists lie")
    parser.add_argument("--wheels", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--constraints", type=Path, action="append", default=[], metavar="FILE")
    options = parser.parse_args(arguments)
    lists = [options.folder / f"{name}.in" for name in options.names] or sorted(options.folder.glob("*.in"))
    try:
        for path in lists:
            found = resolve(path, options.wheels, options.constraints)
            head = _HEADER.format(python=PYTHON, name=path.name)
            path.with_suffix(".txt").write_text(head + lock_text(found), encoding="utf-8")
            print(f"{path.with_suffix('.txt').name}: {len(found)} packages")
    except PinError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
