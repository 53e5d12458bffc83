"""`rendered/` on disk: written atomically, cleaned only of what we wrote, compared without writing."""

from __future__ import annotations

import difflib
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from generator.errors import GeneratorError

_NO_END = "\\ No newline at end of file\n"


def write_rendered(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """Make the files of one or more environments so; returns the paths written or removed, sorted.

    A file is removed only when the manifest of the last run lists it and this run does not have it: what a
    person put beside it stays. The manifest is written last, so a run that dies is finished by the next.
    Raises GeneratorError when a path would leave the project folder, or cannot be written.
    """
    try:
        return _apply(root, files)
    except OSError as error:
        where = error.filename or root
        raise GeneratorError(
            f"{where} cannot be written ({error.strerror}); make room for it and render again"
        ) from None


def _apply(root: Path, files: Mapping[str, bytes]) -> list[str]:
    changed = {path for path, content in files.items() if _content(root, path) != content}
    stale = _stale(root, files)
    for path in sorted(changed, key=lambda item: (item.endswith("/manifest.json"), item)):
        if path.endswith("/manifest.json"):
            _remove(root, stale)
        _write(_inside(root, path), files[path])
    _remove(root, stale)
    return sorted(changed | stale)


def rendered_drift(root: Path, files: Mapping[str, bytes]) -> str:
    """Unified diff from what lies in `rendered/` to what belongs there; empty when it is fresh."""
    lines: list[str] = []
    for path in sorted({*files, *_stale(root, files)}):
        before, after = _content(root, path), files.get(path)
        if before != after:
            labels = _label("a", path, before), _label("b", path, after)
            lines += difflib.unified_diff(_lines(before), _lines(after), *labels)
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_END}" for line in lines)


def _lines(content: bytes | None) -> list[str]:
    """Lines with their ends; a carriage return stays visible as part of its line."""
    return io.StringIO((content or b"").decode("utf-8", errors="replace"), newline="\n").readlines()


def _label(side: str, path: str, content: bytes | None) -> str:
    return "/dev/null" if content is None else f"{side}/{path}"


def _stale(root: Path, files: Mapping[str, bytes]) -> set[str]:
    """Files that the manifests on disk list, that exist, and that are no longer wanted."""
    manifests = [path for path in files if path.endswith("/manifest.json")]
    listed = {path for manifest in manifests for path in _listed(root, manifest)}
    return {path for path in listed if path not in files and _inside(root, path).is_file()}


def _listed(root: Path, manifest: str) -> list[str]:
    """Paths that a manifest on disk lists below its own folder; any other path in it is not ours to touch."""
    try:
        content = json.loads(_inside(root, manifest).read_bytes())
        paths = list(content["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    folder = PurePosixPath(manifest).parent
    return [path for path in paths if isinstance(path, str) and _is_below(PurePosixPath(path), folder)]


def _is_below(path: PurePosixPath, folder: PurePosixPath) -> bool:
    return folder in path.parents and ".." not in path.parts


def _remove(root: Path, paths: set[str]) -> None:
    for path in paths:
        target = _inside(root, path)
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == root.resolve() or (parent.is_dir() and any(parent.iterdir())):
                break
            if parent.is_dir():  # an earlier path may have emptied and removed it
                parent.rmdir()


def _content(root: Path, path: str) -> bytes | None:
    target = _inside(root, path)
    return target.read_bytes() if target.is_file() else None


def _inside(root: Path, path: str) -> Path:
    base = root.resolve()
    target = (base / path).resolve()
    if base not in target.parents:
        raise GeneratorError(
            f"{path} leads out of the project folder (a link?); replace it by a plain folder"
        )
    return target


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
