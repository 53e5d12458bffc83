"""`rendered/` on disk: what was written is kept in line, what a person put there stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.errors import GeneratorError
from generator.rendered import rendered_drift, write_rendered

MANIFEST = "rendered/local/manifest.json"


def bundle(**templates: str) -> dict[str, bytes]:
    """Files of one environment with their manifest."""
    files = {f"rendered/local/templates/{name}.yaml": text.encode() for name, text in templates.items()}
    return {**files, MANIFEST: json.dumps({"files": dict.fromkeys(files, "digest")}).encode()}


def listing(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_writing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    files = bundle(a="1\n", b="2\n")
    assert write_rendered(tmp_path, files) == sorted(files)
    assert write_rendered(tmp_path, files) == []
    assert listing(tmp_path) == sorted(files)
    assert rendered_drift(tmp_path, files) == ""


def test_a_file_that_is_no_longer_rendered_is_removed(tmp_path: Path) -> None:
    write_rendered(tmp_path, bundle(a="1\n", b="2\n"))
    assert write_rendered(tmp_path, bundle(a="1\n")) == [MANIFEST, "rendered/local/templates/b.yaml"]
    assert "rendered/local/templates/b.yaml" not in listing(tmp_path)


def test_a_file_that_was_never_rendered_stays(tmp_path: Path) -> None:
    """Only what the previous manifest lists may go."""
    write_rendered(tmp_path, bundle(a="1\n", b="2\n"))
    (tmp_path / "rendered/local/templates/own.yaml").write_text("mine")
    write_rendered(tmp_path, bundle(a="1\n"))
    assert "rendered/local/templates/own.yaml" in listing(tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [
        '{"files": {"specs/a.yaml": "x", "../outside": "x", "rendered/local/../../specs/a.yaml": "x"}}',
        "[]",
        "{",
        '{"files": 5}',
    ],
)
def test_a_manifest_that_lies_removes_nothing(tmp_path: Path, manifest: str) -> None:
    """Paths outside of the manifest's own folder are not ours, whatever it says."""
    project = tmp_path / "project"
    for path in (project / "specs/a.yaml", tmp_path / "outside", project / MANIFEST):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("keep")
    (project / MANIFEST).write_text(manifest)
    write_rendered(project, bundle(a="1\n"))
    assert (project / "specs/a.yaml").read_text() == "keep"
    assert (tmp_path / "outside").read_text() == "keep"


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "rendered").mkdir(parents=True)
    (project / "rendered/local").symlink_to(elsewhere)
    with pytest.raises(GeneratorError, match="leads out of the project folder"):
        write_rendered(project, bundle(a="1\n"))
    assert listing(elsewhere) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file stands where a folder belongs."""
    (tmp_path / "rendered").write_text("x")
    with pytest.raises(GeneratorError, match=r"rendered.* cannot be written \("):
        write_rendered(tmp_path, bundle(a="1\n"))


def test_a_run_that_died_is_finished_by_the_next(tmp_path: Path) -> None:
    """The manifest is written last: with the old one still there, the stale file is found again."""
    write_rendered(tmp_path, bundle(a="1\n", b="2\n"))
    (tmp_path / "rendered/local/templates/a.yaml").write_text("new\n")
    write_rendered(tmp_path, bundle(a="new\n"))
    assert listing(tmp_path) == [MANIFEST, "rendered/local/templates/a.yaml"]


def test_drift_is_a_unified_diff_and_writes_nothing(tmp_path: Path) -> None:
    write_rendered(tmp_path, bundle(a="one\ntwo\n", b="2\n"))
    before = {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)}
    drift = rendered_drift(tmp_path, bundle(a="one\nthree\n", c="3\n"))
    assert "--- a/rendered/local/templates/a.yaml\n+++ b/rendered/local/templates/a.yaml\n" in drift
    assert "-two\n+three\n" in drift
    assert "--- a/rendered/local/templates/b.yaml\n+++ /dev/null\n" in drift
    assert "--- /dev/null\n+++ b/rendered/local/templates/c.yaml\n" in drift
    assert {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)} == before


def test_a_missing_end_of_line_or_binary_content_still_shows_as_drift(tmp_path: Path) -> None:
    write_rendered(tmp_path, bundle(a="1\n"))
    target = tmp_path / "rendered/local/templates/a.yaml"
    for content in (b"1", b"1\r\n", b"\xff"):
        target.write_bytes(content)
        assert rendered_drift(tmp_path, bundle(a="1\n")) != ""
