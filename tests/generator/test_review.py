"""`rendered/` of two revisions, or of one and the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.errors import RepositoryError
from generator.review import files_on_disk, review

Git = Callable[..., str]
PATH = "rendered/local/templates/a.yaml"


@pytest.fixture
def rendered(clone: Path, git: Git) -> Path:
    """A project with a committed template, and another on disk."""
    template = clone / PATH
    template.parent.mkdir(parents=True)
    for number in (1, 2):
        template.write_text(f"kind: WorkflowTemplate\nspec: {{image: a:{number}}}\n")
        git(clone, "add", ".")
        git(clone, "commit", "--quiet", "-m", f"Render {number}")
    template.write_text("kind: WorkflowTemplate\nspec: {image: a:3}\n")
    return clone


def changed(root: Path, base: str, head: str | None = None, environment: str | None = None) -> list[object]:
    return [change.after for change in review(root, base, head, environment=environment).diff.changes]


def test_the_base_is_compared_with_the_disk_or_with_a_head(rendered: Path, git: Git) -> None:
    assert changed(rendered, "HEAD~1") == ["a:3"]
    assert changed(rendered, "HEAD~1", "HEAD") == ["a:2"]
    assert changed(rendered, "HEAD", "HEAD") == []
    found = review(rendered, "HEAD~1", "HEAD")
    assert (found.base, found.head) == (
        git(rendered, "rev-parse", "HEAD~1"),
        git(rendered, "rev-parse", "HEAD"),
    )
    assert review(rendered, "main").head is None


def test_one_environment_is_compared_alone(rendered: Path) -> None:
    other = rendered / "rendered/prod/templates/b.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("a: 1\n")
    assert changed(rendered, "HEAD", environment="local") == ["a:3"]
    (file,) = review(rendered, "HEAD", environment="prod").diff.files
    assert file.path == "rendered/prod/templates/b.yaml"
    with pytest.raises(RepositoryError, match="neither HEAD nor the working tree has rendered/prd"):
        review(rendered, "HEAD", environment="prd")


def test_links_and_submodules_are_not_followed(rendered: Path, git: Git, tmp_path: Path) -> None:
    """A pull request must not show a file of the machine that looks at it."""
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    (rendered / "rendered/local/templates/link.yaml").symlink_to(tmp_path / "secret.yaml")
    (rendered / "rendered/folder").symlink_to(tmp_path)
    git(
        rendered,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(rendered),
        "rendered/sub",
    )
    git(rendered, "commit", "--quiet", "-am", "Links")
    git(rendered, "add", ".")
    git(rendered, "commit", "--quiet", "-m", "More links")
    assert not any("link" in path or "folder" in path for path in files_on_disk(rendered, "rendered"))
    found = review(rendered, "HEAD~3", "HEAD")
    assert [file.path for file in found.diff.files] == [PATH]
    (rendered / "rendered/evil").symlink_to(tmp_path)
    assert files_on_disk(rendered, "rendered/evil") == {}


def test_a_name_that_is_no_utf8_can_be_shown(rendered: Path, git: Git) -> None:
    name = os.fsdecode(b"\xff\xe9.yaml")
    (rendered / "rendered/local/templates" / name).write_text("a: 1\n")
    git(rendered, "add", ".")
    git(rendered, "commit", "--quiet", "-m", "Odd name")
    for head in (None, "HEAD"):
        found = [file.path for file in review(rendered, "HEAD~1", head).diff.files]
        assert "rendered/local/templates/\ufffd\ufffd.yaml" in found


@pytest.mark.parametrize(
    "revision", ["", "--output=x", "-x", "a\nb", "nowhere", "HEAD~99", "main:specs", "@{upstream"]
)
def test_a_revision_that_is_none_is_a_clear_error(rendered: Path, revision: str) -> None:
    """Neither an option nor a program: what begins with a hyphen never reaches git."""
    with pytest.raises(RepositoryError, match="revision"):
        review(rendered, revision)


def test_a_revision_without_rendered_files_is_an_empty_side(rendered: Path) -> None:
    (file,) = review(rendered, "HEAD~2").diff.files
    assert (file.path, file.kind) == (PATH, "added")
