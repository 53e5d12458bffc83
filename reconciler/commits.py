"""The specs of a commit, whatever the working tree holds now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from generator.project import load_project, project_catalog
from generator.spec.environment import Environment
from generator.spec.locks import LOCK_PATH
from generator.spec.parse import parse
from generator.spec.reader import read
from generator.spec.resolve import Resolved, resolve

_SPECS = "specs"
_ENVIRONMENTS = "specs/environments/"


class Files(Protocol):
    """A Git repository, as far as it is read here."""

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        """Content of every plain file below a folder at a known revision, by path."""
        ...

    def read(self, revision: str, path: str) -> bytes | None:
        """Content of one file at a revision; None if it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Specs:
    """What a commit asks for in one environment; `locks`: digests of images by `host/name:tag`."""

    resolved: Resolved
    locks: Mapping[str, str]


def specs_at(git: Files, revision: str, root: Path, environment: str, catalog: Sequence[Path] = ()) -> Specs:
    """Read the specs of a commit, with its lock of images and the catalogues that it holds.

    A catalogue that no commit holds is read from `root`, as it is now. Raises InputError with every finding.
    """
    found = git.files(revision, _SPECS)
    if (lock := git.read(revision, LOCK_PATH)) is not None:
        found[LOCK_PATH] = lock
    with TemporaryDirectory(prefix="corespec-specs-") as name:
        folder = Path(name)
        (folder / _ENVIRONMENTS).mkdir(parents=True)
        for declared in _catalogs(found):
            own = git.files(revision, declared)
            found |= own
            if not own and (root / declared).is_dir():
                (folder / declared).parent.mkdir(parents=True, exist_ok=True)
                (folder / declared).symlink_to(root / declared, target_is_directory=True)
        for path, content in found.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        workflows = project_catalog(folder, catalog)
        project = load_project(folder, workflows)
        return Specs(resolve(project, environment, workflows), project.locks)


def _catalogs(files: Mapping[str, bytes]) -> list[str]:
    """Folders that the environments name, in a stable order."""
    texts = {path: content for path, content in files.items() if path.startswith(_ENVIRONMENTS)}
    parsed = (parse(read(path, content), Environment).salvaged for path, content in sorted(texts.items()))
    return list(dict.fromkeys(folder for one in parsed if one for folder in one.catalog))
