"""The image recipe of an executable: a Dockerfile and the packages it installs."""

from __future__ import annotations

from generator.context import fill_text, header
from generator.spec.resolve import ResolvedExecutable

RECIPE = {"Dockerfile": "Dockerfile.j2", "requirements.txt": "requirements.txt.j2"}


def image_files(executable: ResolvedExecutable, folder: str) -> dict[str, bytes]:
    """Files of the build context, under `folder`; none where the workflow's image is built elsewhere. The
    trainer's own code is added when the image is built.

    The Dockerfile names its spec, the list of packages does not: executables with the same packages then
    share one layer of them, whatever spec they come from. Raises InputError when a text cannot be filled.
    """
    files = {
        name: fill_text(executable, text, f"{folder}/{name}")
        for name, text in RECIPE.items()
        if text in executable.workflow.texts
    }
    if "Dockerfile" in files:
        files["Dockerfile"] = header(executable.source) + files["Dockerfile"]
    return {f"{folder}/{name}": text.encode("utf-8") for name, text in files.items()}
