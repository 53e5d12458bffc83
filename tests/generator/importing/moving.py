"""What the tests of importing share: the tutorial's dict, and what an import did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.errors import InputError
from generator.importing import Imported, import_files, write_import
from generator.project import load_project, project_catalog
from generator.render import render
from generator.spec.resolve import resolve

Data = dict[str, Any]
Write = Callable[[str, str], Path]

TUTORIAL: Data = {
    "name": "sap-cv-package-tutorial-obj-detection-train",
    "image": "kim/sap-cv-package-object-detection-train:0.0.1",
    "labels": {"scenarios.ai.sap.com/id": "sap-cv-package-tutorial", "ai.sap.com/version": "0.0.1"},
    "annotations": {"scenarios.ai.sap.com/name": "SAP CV Package Tutorial"},
    "imagePullSecret": "kim-docker",
    "objectStoreSecret": "default-object-store-secret",
}


def config(**changes: Any) -> str:
    """The tutorial's config as YAML with other values; None leaves a key out."""
    return yaml.safe_dump({key: item for key, item in {**TUTORIAL, **changes}.items() if item is not None})


def template(root: Path, executable: str) -> Data:
    """A template of the project's environment, rendered anew."""
    catalog = project_catalog(root)
    files = render(resolve(load_project(root, catalog), "local", catalog))
    return dict(yaml.safe_load(files[f"rendered/local/templates/{executable}.yaml"]))


def imported(root: Path, *paths: Path, **options: Any) -> Imported:
    """Import and write."""
    result = import_files(root, paths, **options)
    write_import(root, result)
    return result


def refused(root: Path, *paths: Path, **options: Any) -> list[str]:
    """Codes of the findings of an import that must fail, and leave nothing behind."""
    before = snapshot(root)
    with pytest.raises(InputError) as caught:
        import_files(root, paths, **options)
    assert snapshot(root) == before
    return [item.code for item in caught.value.diagnostics]


def snapshot(root: Path) -> Mapping[str, bytes]:
    """Every file of a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def outcomes(result: Imported) -> dict[str, str]:
    """Subject -> outcome."""
    return {row.subject: row.outcome.value for row in result.rows}
