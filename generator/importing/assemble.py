"""Drafts become the files of a project: specs, workflow folders, and what surrounds them. Writes nothing.

Nothing that is there is overwritten. A spec of the same scenario gets the executable added where lines can be
inserted; otherwise the import is refused, with the lines to paste.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from generator.emit import emit, scalar
from generator.errors import Diagnostic, InputError
from generator.importing.insert import add_entries, add_line
from generator.importing.model import Draft, OwnWorkflow
from generator.importing.project import ENVIRONMENTS, SPECS, Existing, remote_of
from generator.init import ENVIRONMENT, starter_files
from generator.spec.document import ScenarioMetadata
from generator.spec.types import IMAGE

CATALOG = "catalog"
_SECTIONS = ("executables", "datasets", "configurations")
_HEAD = (
    "# yaml-language-server: $schema=schema.json\n# Imported from {files}; docs/spec.md explains every key.\n"
)


def assemble(drafts: Sequence[Draft], existing: Existing) -> dict[str, bytes]:
    """All files to write: path relative to the project root -> content. Raises InputError: every fault."""
    faults: list[Diagnostic] = _repeated(drafts, existing)
    files: dict[str, bytes] = {}
    for name in dict.fromkeys(draft.metadata["name"] for draft in drafts):
        group = [draft for draft in drafts if draft.metadata["name"] == name]
        try:
            path, text = _spec(name, group, existing)
            files[path] = text.encode("utf-8")
        except InputError as error:
            faults += error.diagnostics
    own = [draft.workflow for draft in drafts if draft.workflow]
    faults += _workflows(own, existing, files)
    try:
        files |= _surroundings(drafts, own, existing)
    except InputError as error:
        faults += error.diagnostics
    if faults:
        raise InputError(faults)
    return files


def _repeated(drafts: Sequence[Draft], existing: Existing) -> list[Diagnostic]:
    """Executable ids are unique in the tenant."""
    owners, faults = dict(existing.executables), []
    for draft in drafts:
        owner = owners.setdefault(draft.id, draft.source.path)
        if owner != draft.source.path:
            message = (
                f"the executable `{draft.id}` is already declared in {owner}; `--name` gives it another id"
            )
            faults.append(_at(draft, ("name",), "duplicate-executable", message))
    return faults


def _at(draft: Draft, where: tuple[str, ...], code: str, message: str) -> Diagnostic:
    base = ("metadata",) if draft.template is not None else ()
    return Diagnostic(draft.source.path, *draft.source.positions.of((*base, *where)), code, message)


def _spec(name: str, group: Sequence[Draft], existing: Existing) -> tuple[str, str]:
    metadata = _merged(group)
    additions = _additions(group)
    path = existing.spec_of(name)
    if path is None:
        path = f"{SPECS}/{name}.yaml"
        if (existing.root / path).exists():
            message = (
                f"the spec of scenario `{name}` would be written here, and another file is here; move it"
            )
            raise InputError([Diagnostic(path, 1, 1, "file-exists", message)])
        return path, _new_spec(metadata, additions, group)
    text, model = existing.scenarios[path]
    _refuse_contradictions(group[0], metadata, model.metadata, path)
    taken = {key: getattr(model, key) for key in _SECTIONS}
    fresh = {
        key: {word: item for word, item in entries.items() if word not in taken[key]}
        for key, entries in additions.items()
    }
    result = add_entries(text, fresh)
    if result is None:
        paste = emit({key: entries for key, entries in fresh.items() if entries})
        message = f"nothing can be added here without rewriting what you wrote; add this yourself:\n{paste}"
        raise InputError([Diagnostic(path, 1, 1, "cannot-insert", message.rstrip("\n"))])
    return path, result


def _merged(group: Sequence[Draft]) -> dict[str, Any]:
    """One scenario has one title, version, description and set of labels."""
    result: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for draft in group:
        for key, value in draft.metadata.items():
            if key in result and result[key] != value:
                message = (
                    f"the scenario's {key} is {_said(value)} here and {_said(result[key])} in {owners[key]}; "
                    "a scenario has one: make them equal"
                )
                raise InputError([_at(draft, ("labels",), "contradiction", message)])
            result[key] = value
            owners.setdefault(key, draft.source.path)
    return result


def _refuse_contradictions(
    draft: Draft, wanted: Mapping[str, Any], there: ScenarioMetadata, path: str
) -> None:
    """A spec that is there decides; the old file must not say otherwise."""
    faults = []
    for key in ("title", "description", "version", "labels"):
        own = getattr(there, key)
        own = dict(own) if key == "labels" else own
        if key in wanted and wanted[key] != own:
            message = (
                f"the scenario's {key} is {_said(wanted[key])} here and {_said(own)} in {path}; "
                "a scenario has one: make them equal"
            )
            faults.append(_at(draft, ("labels",), "contradiction", message))
    if faults:
        raise InputError(faults)


def _said(value: object) -> str:
    return f"`{value}`" if value else "not given"


def _additions(group: Sequence[Draft]) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {key: {} for key in _SECTIONS}
    for draft in group:
        result["executables"][draft.id] = dict(draft.executable)
        result["datasets"] |= draft.datasets
        for name, item in draft.configurations.items():
            free = (
                name
                if name not in result["configurations"]
                else f"{name}-{len(result['configurations']) + 1}"
            )
            result["configurations"][free] = {**item, "parameters": _plain(item["parameters"])}
    return result


def _plain(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Numbers and truth values as people write them; the workflow's types make texts of them again."""
    return {name: _spelled(value) for name, value in parameters.items()}


def _spelled(value: str) -> Any:
    if value in {"True", "False"}:
        return value == "True"
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,15})", value):
        return int(value)
    return float(value) if re.fullmatch(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{1,8}", value) else value


def _new_spec(
    metadata: Mapping[str, Any], additions: Mapping[str, Mapping[str, Any]], group: Sequence[Draft]
) -> str:
    order = ("name", "title", "description", "version", "labels")
    sections: dict[str, Any] = {"metadata": {key: metadata[key] for key in order if metadata.get(key)}}
    sections |= {key: dict(entries) for key, entries in additions.items() if entries}
    files = ", ".join(
        sorted({re.sub(r"[^\w. /\[\]-]", "?", draft.source.path.rpartition("/")[2]) for draft in group})
    )
    head = _HEAD.format(files=files) + emit({"apiVersion": "corespec/v1", "kind": "Scenario"})
    return head + "\n".join(emit({key: value}) for key, value in sections.items())


def _workflows(own: Sequence[OwnWorkflow], existing: Existing, files: dict[str, bytes]) -> list[Diagnostic]:
    faults = []
    for workflow in own:
        for name, text in workflow.files.items():
            path = f"{CATALOG}/{workflow.name}/{name}"
            target = existing.root / path
            content = text.encode("utf-8")
            if path in files or (
                target.exists() and (not target.is_file() or target.read_bytes() != content)
            ):
                message = "is there already and would be overwritten; remove it, or import with `--name`"
                faults.append(Diagnostic(path, 1, 1, "file-exists", message))
            files[path] = content
    return faults


def _surroundings(
    drafts: Sequence[Draft], own: Sequence[OwnWorkflow], existing: Existing
) -> dict[str, bytes]:
    """An environment where there is none; the name of the catalogue folder where workflows are added."""
    if not existing.environments:
        return _starter(drafts, own, existing)
    if not own or CATALOG in existing.catalogs:
        return {}
    path = next(
        (item for item, (_, place) in existing.environments.items() if place.metadata.name == ENVIRONMENT),
        min(existing.environments),
    )
    text = add_line(existing.environments[path][0], "catalog", [CATALOG])
    if text is None:
        message = f"the workflow is written to `{CATALOG}/`; add that folder to `catalog:` here"
        raise InputError([Diagnostic(path, 1, 1, "cannot-insert", message)])
    return {path: text.encode("utf-8")}


def _starter(drafts: Sequence[Draft], own: Sequence[OwnWorkflow], existing: Existing) -> dict[str, bytes]:
    """A starter project around the specs; of its files those that are there already stay as they are."""
    word = re.sub(r"[^a-z0-9]+", "-", drafts[0].metadata["name"]).strip("-")[:40].strip("-")
    name = word if re.match(r"[a-z]", word) else f"my-{word}"[:40].strip("-")
    files = {
        path: content for path, content in starter_files(name).items() if not (existing.root / path).exists()
    }
    path = f"{ENVIRONMENTS}/{ENVIRONMENT}.yaml"
    text = _placed(files[path].decode("utf-8"), name, drafts, remote_of(existing.root))
    if own:
        text += f"catalog: [{CATALOG}]\n"
    return {**files, path: text.encode("utf-8")}


def _placed(text: str, name: str, drafts: Sequence[Draft], remote: str | None) -> str:
    """The starter's environment with the remote, registry and pull secret that the user has already."""
    if remote:
        text = text.replace(f"  url: ../{name}.git\n", f"  url: {scalar(remote)}\n")
    image = IMAGE.fullmatch(drafts[0].executable["image"])
    secret = drafts[0].executable.get("imagePullSecret")
    folder = image["path"].rpartition("/")[0] if image else ""
    everywhere = all(draft.executable.get("imagePullSecret") for draft in drafts)
    if image is None or not everywhere or not folder:
        return re.sub(r"^docker:\n(?: .*\n)+", "", text, flags=re.MULTILINE)
    registry = f"  registry: {image['host']}/{folder}"
    text = re.sub(r"^  registry: .*$", lambda _: registry, text, flags=re.MULTILINE)
    return re.sub(r"^  secret: .*$", lambda _: f"  secret: {scalar(secret)}", text, flags=re.MULTILINE)
