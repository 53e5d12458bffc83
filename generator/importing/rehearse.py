"""Trying an import before anything is written: the project as it would be, rendered and compared."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from generator.diff import Change, Kind, diff_templates
from generator.emit import emit
from generator.errors import Diagnostic, InputError
from generator.importing.model import Draft, Outcome, Row
from generator.importing.project import Existing
from generator.init import ENVIRONMENT
from generator.project import load_project, project_catalog
from generator.render import render, template_path
from generator.spec.locks import LOCK_PATH
from generator.spec.parse import dotted
from generator.spec.reader import lookup
from generator.spec.resolve import resolve

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FROM_ENVIRONMENT = "the environment's docker.secret, because the image comes from its registry"


def rehearse(drafts: Sequence[Draft], files: Mapping[str, bytes], existing: Existing) -> list[Row]:
    """Render the project with `files` in it, and compare every draft with what it becomes.

    Returns the rows of all drafts, with the differences from their templates. Raises InputError for specs
    that are not valid, templates that do not pass lint, and differences that nobody meant.
    """
    environment, rendered = _render(files, existing)
    rows: list[Row] = []
    faults: list[Diagnostic] = []
    for draft in drafts:
        path = template_path(environment, draft.id)
        document = yaml.load(rendered[path], Loader=_LOADER)  # noqa: S506 - a safe loader
        rows += draft.rows
        faults += _unmet(draft, document)
        if draft.template is not None:
            found, unmeant = _differences(draft, draft.template, rendered[path])
            rows += found
            faults += unmeant
    if faults:
        raise InputError(faults)
    return rows


def _render(files: Mapping[str, bytes], existing: Existing) -> tuple[str, dict[str, bytes]]:
    """Name of the environment that is compared, and its files; every other one is rendered too."""
    with tempfile.TemporaryDirectory(prefix="corespec-import-") as folder:
        root = Path(folder).resolve()
        _copy(existing, root)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        try:
            catalog = project_catalog(root)
            project = load_project(root, catalog)
            rendered = {name: render(resolve(project, name, catalog)) for name in project.environments}
        except InputError as error:
            raise InputError(_relative(item, root) for item in error.diagnostics) from None
    name = ENVIRONMENT if ENVIRONMENT in rendered else min(rendered)
    return name, rendered[name]


def _copy(existing: Existing, root: Path) -> None:
    """What rendering reads."""
    for path, (text, _) in [*existing.scenarios.items(), *existing.environments.items()]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode("utf-8"))
    for folder in existing.catalogs:
        if (existing.root / folder).is_dir():
            shutil.copytree(existing.root / folder, root / folder, dirs_exist_ok=True)
    if (existing.root / LOCK_PATH).is_file():
        shutil.copy(existing.root / LOCK_PATH, root / LOCK_PATH)


def _relative(item: Diagnostic, root: Path) -> Diagnostic:
    return replace(item, path=item.path.removeprefix(f"{root.as_posix()}/"))


def _unmet(draft: Draft, document: Mapping[str, Any]) -> Iterable[Diagnostic]:
    """Whatever was promised and is not in the rendered template."""
    for where, value in draft.expected.items():
        found = lookup(document, where)
        if found != value:
            message = f"{dotted(where)}: would become `{found}` instead of `{value}`; is it overridden?"
            yield Diagnostic(draft.source.path, 1, 1, "not-the-same", message)


def _differences(
    draft: Draft, template: Mapping[str, Any], rendered: bytes
) -> tuple[list[Row], list[Diagnostic]]:
    """Differences that are explained, as rows; the others as findings."""
    before = emit(dict(template)).encode("utf-8")
    diff = diff_templates({"template.yaml": before}, {"template.yaml": rendered})
    rows, faults = [], []
    for change in diff.changes:
        reason = _reason(change, draft.allowed)
        if reason is None:
            message = (
                f"{change.address}: would become {_said(change.after)} instead of {_said(change.before)}"
            )
            faults.append(Diagnostic(draft.source.path, 1, 1, "not-the-same", message))
        elif reason:
            outcome = Outcome.DROPPED if change.kind is Kind.REMOVED else Outcome.CHANGED
            values = _said(change.before), "" if change.kind is Kind.REMOVED else _said(change.after)
            rows.append(Row(draft.source.path, change.address, outcome, *values, reason))
    return rows, faults


def _reason(change: Change, allowed: Mapping[str, str]) -> str | None:
    """Why a change is meant; empty when another row says it already, None when nobody meant it."""
    if change.address.endswith("imagePullSecrets") and change.kind is Kind.ADDED:
        return _FROM_ENVIRONMENT
    fitting = [start for start in allowed if change.address.startswith(start)]
    return allowed[max(fitting, key=len)] if fitting else None


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
