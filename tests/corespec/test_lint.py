"""`corespec lint` as a user meets it: files, folders and a pipe; text and JSON; the exit code."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.end_to_end.world import corespec
from tests.generator.lint_examples import dump, serving_template, workflow_template


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application folder with two good templates, and files that are none and are left alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "templates" / "more").mkdir(parents=True)
    (tmp_path / "templates" / "train.yaml").write_text(dump(workflow_template()))
    (tmp_path / "templates" / "more" / "serve.yml").write_text(dump(serving_template()))
    (tmp_path / "templates" / "README.md").write_text("Templates.\n")
    return tmp_path / "templates"


def spoil(folder: Path, old: str, new: str) -> None:
    path = folder / "train.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_good_templates_are_counted(folder: Path) -> None:
    """Folders are searched to the bottom; what is neither YAML nor JSON is left alone."""
    result = corespec("lint", "templates")
    assert (result.code, result.out, result.err) == (0, "2 files: 0 errors, 0 warnings.\n", "")


def test_every_finding_is_one_line_with_its_place_and_severity(folder: Path) -> None:
    """path:line:column: severity: code: message, and a summary; an error makes exit code 2."""
    spoil(folder, "entrypoint: main", "entrypoint: mian")
    spoil(folder, "docker.io/acme/digits:0.0.1", "docker.io/acme/digits:latest")
    result = corespec("lint", "templates")
    assert result.code == 2
    first, second, summary = result.out.splitlines()
    assert first.startswith(
        "templates/train.yaml:14:15: error: entrypoint: spec.entrypoint: names no template;"
    )
    assert ": warning: image-pinned: spec.templates[1].container.image: " in second
    assert summary == "2 files: 1 error, 1 warning."


def test_warnings_alone_count_only_where_they_are_asked_to(folder: Path) -> None:
    spoil(folder, "docker.io/acme/digits:0.0.1", "docker.io/acme/digits:latest")
    assert corespec("lint", "templates").code == 0
    assert corespec("lint", "--strict", "templates").code == 2


def test_findings_as_json(folder: Path) -> None:
    """For editors and CI: every field by name, and the counts."""
    spoil(folder, "entrypoint: main", "entrypoint: mian")
    result = corespec("lint", "templates", "-o", "json")
    assert result.code == 2
    assert {key: result.document[key] for key in ("files", "errors", "warnings")} == {
        "files": 2,
        "errors": 1,
        "warnings": 0,
    }
    (found,) = result.document["diagnostics"]
    assert found.keys() == {"path", "line", "column", "code", "message", "severity"}


def test_files_are_taken_for_one_tenant(folder: Path) -> None:
    """The same file under two names: the id is taken."""
    (folder / "again.yaml").write_text((folder / "train.yaml").read_text())
    result = corespec("lint", "templates/train.yaml", "templates/again.yaml")
    assert result.code == 2
    assert "duplicate-executable" in result.out


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(dump(workflow_template()).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert corespec("lint", "-").out == "1 file: 0 errors, 0 warnings.\n"


def test_an_empty_folder_fails_as_it_would_in_ai_core(tmp_path: Path) -> None:
    result = corespec("lint", tmp_path)
    assert result.code == 2
    assert "no-template" in result.out


def test_a_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    result = corespec("lint", tmp_path / "train.yaml")
    assert result.code == 2
    assert "no such file" in result.err
