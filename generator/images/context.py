"""The build context: the rendered recipe, the trainer's code, wheels that the user hands in; nothing else.

It is assembled from a list of what belongs in rather than from a folder minus what does not: no `.git`, no
data, no secret can slip in. Same content, same bytes: entries are sorted, and times, owners and modes are
fixed.
"""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from generator.images.errors import ContextError
from generator.images.recipe import RECIPE

__all__ = ["context_files"]

TRAINER = "trainer"
WHEELS = "wheels"
_LEFT_OUT = frozenset({"__pycache__", "tests"})
_CODE = (".py", ".html")


def write_context(files: Mapping[str, bytes | Path], target: IO[bytes]) -> None:
    """Write an uncompressed tar of `files` (path in the context -> content, or the file that holds it) and of
    the folder of wheels, which may be empty.

    Deterministic: the order of `files`, the clock and the user of this machine leave no trace.
    """
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folder = tarfile.TarInfo(WHEELS)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for path in sorted(files):
            _add(archive, path, files[path])


def _add(archive: tarfile.TarFile, path: str, content: bytes | Path) -> None:
    entry = tarfile.TarInfo(path)  # a fresh entry has time 0 and owner 0
    entry.mode = 0o644
    if isinstance(content, Path):
        entry.size = content.stat().st_size
        with content.open("rb") as file:
            archive.addfile(entry, file)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def context_files(
    root: Path, recipe: Mapping[str, bytes], wheels: Path | None = None
) -> dict[str, bytes | Path]:
    """Everything that goes into the context of one image: path in the context -> content, or its file.

    `recipe` is what rendering gives for the image (path below the project `root` -> content); the files on
    disk must be the same, because what is built is what was reviewed. Raises ContextError.
    """
    return {**rendered_recipe(root, recipe), **trainer_files(), **wheel_files(wheels)}


def rendered_recipe(root: Path, recipe: Mapping[str, bytes]) -> dict[str, bytes]:
    """The recipe as it lies in `rendered/`: `Dockerfile`, `requirements.txt`.

    Raises ContextError when a file is stale, missing or behind a link.
    """
    for path, content in recipe.items():
        if _plain_file(root, path) != content:
            raise ContextError(
                f"{path} is stale: it is not what the specs render",
                remedy="Run `corespec render`, review what it writes, then build again.",
            )
    return {Path(path).name: content for path, content in recipe.items() if Path(path).name in RECIPE}


def trainer_files() -> dict[str, bytes]:
    """The code and the pages of the package `trainer`, found where it is installed, without importing it.

    Raises ContextError when it is not installed.
    """
    spec = find_spec(TRAINER)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise ContextError(
            "the package `trainer` is not installed, and every image holds it",
            remedy="Reinstall: `pip install --force-reinstall corespec`.",
        )
    base = Path(folders[0])
    return {
        f"{TRAINER}/{path.relative_to(base).as_posix()}": path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.suffix in _CODE and not _LEFT_OUT.intersection(path.relative_to(base).parts)
    }


def wheel_files(folder: Path | None) -> dict[str, Path]:
    """The wheels of a folder that the user hands in (`--wheels`); pip looks there before any index.

    Raises ContextError when there is none.
    """
    if folder is None:
        return {}
    found = sorted(path for path in folder.glob("*.whl") if path.is_file())
    if not found:
        raise ContextError(
            f"{folder} holds no wheel (*.whl)",
            remedy="Name a folder that does, such as one made by `pip download -d DIR torch==…`.",
        )
    return {f"{WHEELS}/{path.name}": path for path in found}


def _plain_file(root: Path, path: str) -> bytes | None:
    """Content of a file below `root`; None when it is absent. A link on the way is refused: it could name
    any file of this machine."""
    target = root
    for part in Path(path).parts:
        target = target / part
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(mode):
            raise ContextError(
                f"{target.relative_to(root)} is a link; what is built must lie in the project itself",
                remedy="Replace it by a plain file or folder: remove it and run `corespec render`.",
            )
    return target.read_bytes() if stat.S_ISREG(mode) else None
