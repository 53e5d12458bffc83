"""`corespec init`: a project folder of the user's own, complete from the first minute."""

from __future__ import annotations

import re
from pathlib import Path

from generator.catalog import load_catalog
from generator.errors import Diagnostic, InputError
from generator.project import load_project
from generator.render import render
from generator.rendered import write_rendered
from generator.spec.resolve import resolve
from generator.spec.schema import SCHEMA_PATH, schema_bytes
from generator.templating import Bare, fill
from generator.version import tool_version

STARTER = Path(__file__).parent / "starter"
ENVIRONMENT = "local"
_NAME = re.compile(r"[a-z][a-z0-9-]{2,38}[a-z0-9]")


def init_project(root: Path, name: str) -> list[Path]:
    """Write a starter project for the scenario `name` below `root`; returns the files written, sorted.

    The specs are valid and already rendered. Raises InputError, and writes nothing, when the name is not
    legal or a file that would be written is there already.
    """
    _check_name(name)
    files = _starter_files(name)
    existing = [path for path in [*files, f"rendered/{ENVIRONMENT}"] if (root / path).exists()]
    if existing:
        message = "is there already and would be overwritten; choose an empty folder"
        raise InputError(Diagnostic(path, 1, 1, "file-exists", message) for path in existing)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    catalog = load_catalog()
    rendered = render(resolve(load_project(root, catalog), ENVIRONMENT, catalog))
    return sorted(root / path for path in [*files, *write_rendered(root, rendered)])


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        message = "must be 4 to 40 lower-case letters, digits and hyphens, beginning with a letter"
        raise InputError([Diagnostic(name, 1, 1, "illegal-name", message)])


def _starter_files(name: str) -> dict[str, bytes]:
    values = {
        "name": Bare(name),
        "title": Bare(name.replace("-", " ").capitalize()),
        "version": Bare(tool_version()),
    }
    sources = {
        f"specs/{name}.yaml": "scenario.yaml.j2",
        f"specs/environments/{ENVIRONMENT}.yaml": "environment.yaml.j2",
        ".gitignore": "gitignore.j2",
        "README.md": "readme.md.j2",
        ".github/workflows/corespec.yaml": "github.yaml.j2",
        ".gitlab-ci.yml": "gitlab-ci.yml.j2",
    }
    texts = {
        path: fill((STARTER / text).read_text(encoding="utf-8"), values) for path, text in sources.items()
    }
    files = {path: text.encode("utf-8") for path, text in texts.items()}
    return {**files, SCHEMA_PATH: schema_bytes(load_catalog())}
