"""The image recipe of an executable: a Dockerfile and the packages it installs."""

from __future__ import annotations

from generator.context import fill_text, header
from generator.spec.resolve import ResolvedExecutable

RECIPE = {"Dockerfile": "Dockerfile.j2", "requirements.txt": "requirements.txt.j2"}


def image_files(executable: ResolvedExecutable, folder: str) -> dict[str, bytes]:
    """Files of the build context, under `folder`. The trainer's own code is added when the image is built.

    Raises InputError when a text of the workflow cannot be filled.
    """
    first_line = header(executable.source)
    files = {
        f"{folder}/{name}": fill_text(executable, text, f"{folder}/{name}") for name, text in RECIPE.items()
    }
    return {path: (first_line + text).encode("utf-8") for path, text in files.items()}
