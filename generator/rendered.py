"""`rendered/` on disk: written atomically, cleaned only of what we wrote, compared without writing.

Every environment has a folder of its own with a manifest in it. The manifest is the only proof that a file is
ours: it lists a file before the file appears, and it goes after the last file that it lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from generator.errors import GeneratorError
from generator.tree import Tree

__all__ = ["rendered_drift", "write_rendered"]

FOLDER = "rendered"
MANIFEST = "manifest.json"
_NO_END = "\\ No newline at end of file\n"


def write_rendered(
    root: Path, files: Mapping[str, bytes], environments: Collection[str] | None = None
) -> list[str]:
    """Make the files of one or more environments so; returns the paths written or removed, sorted.

    A file is removed only when a manifest on disk lists it and this run does not have it: what a person put
    beside it stays. With `environments`, the names of all that the project has, what was rendered for any
    other goes as well. A run that dies anywhere is finished by the next, whatever that one renders. Raises
    GeneratorError when a path would leave the project folder, or cannot be written.
    """
    try:
        return _apply(Tree(root), files, environments)
    except OSError as error:
        where = error.filename or root
        raise GeneratorError(
            f"{where} cannot be written ({error.strerror}); make room for it and render again"
        ) from None


def rendered_drift(
    root: Path, files: Mapping[str, bytes], environments: Collection[str] | None = None
) -> str:
    """Unified diff from what lies in `rendered/` to what belongs there; empty when it is fresh.

    With `environments` as for `write_rendered`.
    """
    import difflib  # a check that finds nothing does not pay for it

    tree, lines = Tree(root), list[str]()
    for path in sorted({*files, *_stale(tree, files, environments)}):
        before, after = tree.read(path), files.get(path)
        if before != after:
            labels = _label("a", path, before), _label("b", path, after)
            lines += difflib.unified_diff(_lines(before), _lines(after), *labels)
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_END}" for line in lines)


def is_fresh(root: Path, digests: Mapping[str, str], environments: Collection[str] | None = None) -> bool:
    """Whether `rendered_drift` would find nothing, given only the SHA-256 of each file (path -> hex).

    `digests` holds the manifest of every environment that it speaks of. Says no when anything cannot be read.
    """
    tree = Tree(root)
    try:
        for path, expected in digests.items():
            content = tree.read(path)
            if content is None or hashlib.sha256(content).hexdigest() != expected:
                return False
        # A manifest that is as expected lists nothing but the files that were just compared.
        return environments is None or not _orphans(tree, environments)
    except (OSError, GeneratorError):
        return False


def _apply(tree: Tree, files: Mapping[str, bytes], environments: Collection[str] | None) -> list[str]:
    changed = {path for path, content in files.items() if tree.read(path) != content}
    stale = _stale(tree, files, environments)
    manifests = {path for path in {*changed, *stale} if _is_manifest(path)}
    for path in sorted(manifests & changed):
        _claim(tree, path, files)
    for path in sorted(changed - manifests):
        tree.write(path, files[path])
    for path in sorted(stale - manifests):
        tree.remove(path)
    for path in sorted(manifests):
        if path in changed:
            tree.write(path, files[path])
        else:
            tree.remove(path)
    return sorted(changed | stale)


def _claim(tree: Tree, manifest: str, files: Mapping[str, bytes]) -> None:
    """Let the manifest list what is about to appear, beside what is there."""
    wanted, present = _document(files[manifest]), _listed(tree, manifest)
    appearing = {*_paths(wanted, manifest)} - {*present}
    if wanted is not None and appearing and present:
        listed = {**wanted["files"], **dict.fromkeys(present, "")}
        tree.write(manifest, json.dumps({**wanted, "files": listed}, indent=2).encode("utf-8") + b"\n")
    elif appearing:
        tree.write(manifest, files[manifest])


def _stale(tree: Tree, files: Mapping[str, bytes], environments: Collection[str] | None) -> set[str]:
    """Files that a manifest on disk lists, that exist, and that are no longer wanted."""
    listed = {path for manifest in files if _is_manifest(manifest) for path in _listed(tree, manifest)}
    gone = _orphans(tree, environments) if environments is not None else []
    for manifest in gone:
        listed |= {manifest, *_listed(tree, manifest)}
    return {path for path in listed if path not in files and tree.is_file(path)}


def _orphans(tree: Tree, environments: Collection[str]) -> list[str]:
    """Manifests that we wrote for environments that the project no longer has."""
    found = []
    for folder in tree.folders(FOLDER):
        manifest = f"{FOLDER}/{folder}/{MANIFEST}"
        if folder not in environments and _is_ours(_document(tree.read(manifest)), folder):
            found.append(manifest)
    return sorted(found)


def _is_ours(document: dict[str, Any] | None, environment: str) -> bool:
    """Whether a manifest says that we wrote it, and for the environment in whose folder it lies."""
    tool = document.get("tool") if document else None
    return (
        isinstance(tool, dict)
        and tool.get("name") == "corespec"
        and document is not None
        and document.get("environment") == environment
    )


def _listed(tree: Tree, manifest: str) -> list[str]:
    """Paths that a manifest on disk lists below its own folder; any other path in it is not ours to touch."""
    try:
        return _paths(_document(tree.read(manifest)), manifest)
    except OSError:
        return []


def _document(content: bytes | None) -> dict[str, Any] | None:
    try:
        document = json.loads(content or b"")
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("files"), dict) else None


def _paths(document: dict[str, Any] | None, manifest: str) -> list[str]:
    folder = PurePosixPath(manifest).parent
    return [path for path in (document or {"files": {}})["files"] if _is_below(PurePosixPath(path), folder)]


def _is_below(path: PurePosixPath, folder: PurePosixPath) -> bool:
    return folder in path.parents and ".." not in path.parts


def _is_manifest(path: str) -> bool:
    return path.endswith(f"/{MANIFEST}")


def _lines(content: bytes | None) -> list[str]:
    """Lines with their ends; a carriage return stays visible as part of its line."""
    import io

    return io.StringIO((content or b"").decode("utf-8", errors="replace"), newline="\n").readlines()


def _label(side: str, path: str, content: bytes | None) -> str:
    return "/dev/null" if content is None else f"{side}/{path}"
