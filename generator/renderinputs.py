"""One digest over everything that rendering reads, taken without understanding any of it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CATALOG_VARIABLE = "CORESPEC_CATALOG"
_OWN = Path(__file__).parent
_FOLDERS = ("specs", "specs/environments")
_LOCK = "images.lock.yaml"
_LIBRARIES = ("corespec", "hera", "jinja2", "markupsafe", "pydantic", "pydantic-core", "pyyaml")
_VARIABLE = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST_FILES = 20_000
_MOST_BYTES = 64 * 1024 * 1024


class _UntoldError(Exception):
    """The inputs are more, or something else, than a digest can be taken of."""


def inputs_digest(root: Path, catalogs: Sequence[Path]) -> str | None:
    """SHA-256 in hex over everything that rendering a project reads; None where that cannot be told.

    That is: every file in `specs/` and `specs/environments/`,
    `images.lock.yaml`, every file of the `catalogs`, this package's own files (its code and the built-in
    catalogue), and the versions of Python and of the libraries that take part.
    """
    total = hashlib.sha256()
    variables: set[str] = {CATALOG_VARIABLE}
    try:
        for label, content in _bounded(_project(root)):
            _add(total, label, content)
            variables |= {name.decode() for name in _VARIABLE.findall(content)}
        for number, catalog in enumerate(catalogs):
            for label, content in _bounded(_walk(catalog)):
                _add(total, f"{number}:{label}", content)
        own = own_digest()
    except (OSError, _UntoldError):
        return None
    circumstances = {
        "own": own,
        "versions": _versions(),
        "catalogs": [os.fspath(path) for path in catalogs],
        "variables": {name: os.environ.get(name) for name in sorted(variables)},
    }
    _add(total, "", json.dumps(circumstances, sort_keys=True).encode("utf-8"))
    return total.hexdigest()


def _add(total: hashlib._Hash, label: str, content: bytes) -> None:
    name = label.encode("utf-8", "surrogateescape")
    total.update(b"%d:%d:" % (len(name), len(content)) + name + content)


def _project(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder in _FOLDERS:
        for path in sorted((root / folder).iterdir()):
            if not path.name.startswith("."):
                yield f"{folder}/{path.name}", _content(path)
    lock = root / _LOCK
    if lock.is_symlink() or lock.exists():
        yield _LOCK, _content(lock)


def _walk(folder: Path, below: str = "") -> Iterator[tuple[str, bytes]]:
    """Every file and folder; a folder without files may be an error to who reads it."""
    for path in sorted(folder.iterdir()):
        label = f"{below}{path.name}"
        if path.is_dir():
            if path.name != "__pycache__":
                yield f"{label}/", b""
                yield from _walk(path, f"{label}/")
        else:
            yield label, _content(path)


def _content(path: Path) -> bytes:
    """Bytes of a plain file; the name alone stands for a folder."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return b""
    if not stat.S_ISREG(mode):
        raise _UntoldError
    return path.read_bytes()


def _bounded(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Give up on folders that are no catalogue: a disk, a circle of links."""
    size = 0
    for number, (label, content) in enumerate(files):
        size += len(content)
        if number > _MOST_FILES or size > _MOST_BYTES:
            raise _UntoldError
        yield label, content


@lru_cache(maxsize=1)
def own_digest() -> str:
    """SHA-256 in hex over this package's files. Call it before the code is loaded that it speaks of: a file
    that is replaced meanwhile then makes a miss, and not a wrong answer. Raises OSError.
    """
    total = hashlib.sha256()
    for label, content in _walk(_OWN):
        _add(total, label, content)
    return total.hexdigest()


def code_digest() -> str | None:
    """SHA-256 in hex over this package's files and the versions of Python and of the libraries that matter;
    None where that cannot be told.
    """
    try:
        content = json.dumps({"own": own_digest(), "versions": _versions()}, sort_keys=True)
    except OSError:
        return None
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
