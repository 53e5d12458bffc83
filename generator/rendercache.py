"""What the last run of `render` has proven, so that the next need not prove it again.

Rendering is pure: the same bytes in, the same bytes out. `.corespec/cache/render/<environment>.json` holds a
digest over everything that went in and the digest of every file that came out. Where the inputs are the same
and the files on disk are what came out, `rendered/` is fresh, and nothing needs to be loaded to say so: this
module imports neither pydantic nor hera nor jinja.

Deleting the cache changes only speed. Damage, another version, another machine, a cache that came in with a
commit: all of them are a miss, and the long way is taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import GeneratorError
from generator.rendered import is_fresh
from generator.renderinputs import inputs_digest, own_digest
from generator.sealed import SealedFolder

FORMAT = 1
CACHE = ".corespec/cache/render"

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Fresh:
    """A project whose `rendered/` is as it has to be: the paths of every environment that was asked for."""

    files: Mapping[str, tuple[str, ...]]


def lookup(root: Path, environment: str | None, extra: Sequence[Path]) -> Fresh | None:
    """What is known to be fresh, for one environment or (None) for all; None when nothing is known.

    None says nothing about `rendered/`: it may be fresh all the same. `extra` are the catalogue folders of
    the command line, absolute.
    """
    try:
        own_digest()
        entries = _current(root, extra)
    except (OSError, GeneratorError):
        return None
    known = {entry["environment"]: entry["files"] for entry in entries}
    wanted = [environment] if environment is not None else next(iter(entries), {}).get("environments", [])
    if not wanted or not set(wanted) <= known.keys():
        return None
    digests = {path: digest for name in wanted for path, digest in known[name].items()}
    if not is_fresh(root, digests, wanted if environment is None else None):
        return None
    return Fresh({name: tuple(known[name]) for name in wanted})


def remember(
    root: Path,
    rendered: Mapping[str, Mapping[str, bytes]],
    *,
    environments: Iterable[str],
    inputs: str | None,
    extra: Sequence[Path],
    catalogs: Sequence[Path],
) -> None:
    """Keep what was rendered: environment -> path -> content.

    `environments` are all that the project has. `inputs` is `inputs_digest(root, catalogs)` from before the
    inputs were read: nothing is kept when they have changed since. Silent where nothing can be written: the
    next run is slower then.
    """
    if inputs is None or inputs_digest(root, catalogs) != inputs:
        return
    common = {
        "format": FORMAT,
        "environments": sorted(environments),
        "inputs": inputs,
        "extra": _names(extra),
        "catalogs": _names(catalogs),
    }
    cache = SealedFolder(root, CACHE)
    for environment, files in rendered.items():
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        cache.write(environment, {**common, "environment": environment, "files": digests})


def _current(root: Path, extra: Sequence[Path]) -> list[Entry]:
    """Entries that were written here, for these catalogue folders, from inputs that are still the same."""
    cache = SealedFolder(root, CACHE)
    found = [cache.read(name) for name in cache.names()]
    ours = [
        entry
        for entry in found
        if entry and entry.get("format") == FORMAT and entry["extra"] == _names(extra)
    ]
    digests = {
        catalogs: inputs_digest(root, [Path(name) for name in catalogs])
        for catalogs in {tuple(entry["catalogs"]) for entry in ours}
    }
    return [entry for entry in ours if digests[tuple(entry["catalogs"])] == entry["inputs"]]


def _names(folders: Iterable[Path]) -> list[str]:
    return [os.fspath(folder) for folder in folders]
