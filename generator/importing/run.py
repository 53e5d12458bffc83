"""An import from beginning to end: read everything, rehearse, then write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.catalog import Workflow, load_catalog
from generator.errors import Diagnostic, GeneratorError, InputError
from generator.importing.assemble import assemble
from generator.importing.config import is_config, read_config
from generator.importing.model import Draft, Foreign, Row
from generator.importing.project import existing_project
from generator.importing.rehearse import rehearse
from generator.importing.source import load
from generator.importing.template import read_template
from generator.tree import Tree


@dataclass(frozen=True)
class Imported:
    """What an import writes, and what became of everything the old files said."""

    files: Mapping[str, bytes]
    rows: tuple[Row, ...]
    executables: tuple[str, ...]
    scenarios: tuple[str, ...]


def import_files(
    root: Path, paths: Sequence[Path], *, workflow: str | None = None, name: str | None = None
) -> Imported:
    """Read old files into specs for the project at `root`; writes nothing.

    `workflow` names the workflow of the catalogue for all of them; `name` is the executable id of the only
    one. Raises InputError with the findings of all files.
    """
    if name is not None and len(paths) > 1:
        message = "one name cannot be the id of several executables; import the files one by one"
        raise InputError([Diagnostic("--name", 1, 1, "several-files", message)])
    existing = existing_project(root)
    catalog = load_catalog()
    drafts: list[Draft] = []
    faults: list[Diagnostic] = []
    for path in dict.fromkeys(paths):
        try:
            drafts.append(_draft(load(path, path.as_posix()), catalog, workflow, name))
        except InputError as error:
            faults += error.diagnostics
    if faults:
        raise InputError(faults)
    files = assemble(drafts, existing)
    rows = rehearse(drafts, files, existing)
    return Imported(
        files=files,
        rows=tuple(rows),
        executables=tuple(draft.id for draft in drafts),
        scenarios=tuple(dict.fromkeys(draft.metadata["name"] for draft in drafts)),
    )


def write_import(root: Path, imported: Imported) -> list[str]:
    """Write what was rehearsed; returns the paths, sorted. Raises GeneratorError, and leaves all as it was,
    where one of the files cannot be written.
    """
    tree = Tree(root)
    before: dict[str, bytes | None] = {}
    try:
        for path, content in sorted(imported.files.items()):
            old = tree.read(path)
            tree.write(path, content)
            before[path] = old
    except (OSError, GeneratorError) as error:
        _restore(tree, before)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise GeneratorError(f"nothing is imported: {reason}") from None
    return sorted(imported.files)


def _restore(tree: Tree, before: Mapping[str, bytes | None]) -> None:
    for path, content in before.items():
        if content is None:
            tree.remove(path)
        else:
            tree.write(path, content)


def _draft(source: Foreign, catalog: Mapping[str, Workflow], workflow: str | None, name: str | None) -> Draft:
    if is_config(source.data):
        return read_config(source, catalog, workflow, name)
    return read_template(source, catalog, workflow, name)
