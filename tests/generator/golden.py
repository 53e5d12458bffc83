"""Write the golden files of `test_render.py` anew (`make generated`). Read the difference before a commit."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import mock

from generator.catalog import load_catalog
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import resolve

VALID = Path(__file__).parent / "testdata" / "valid"


def main() -> None:
    """Render every environment of every valid project into the project."""
    catalog = load_catalog()
    for folder in sorted(path for path in VALID.iterdir() if (path / "rendered").is_dir()):
        project = load_project(folder, catalog)
        shutil.rmtree(folder / "rendered")
        for environment in sorted(project.environments):
            with mock.patch("generator.render.tool_version", return_value="golden"):
                files = render(resolve(project, environment, catalog))
            for path, content in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)


if __name__ == "__main__":
    main()
