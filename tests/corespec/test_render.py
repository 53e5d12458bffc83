"""What `corespec render` says: what it wrote, what it would write, how far it is."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from corespec.verbs import render as verb
from generator.project import load_project, project_catalog
from generator.spec.resolve import resolve
from tests.end_to_end.world import CATALOG, Result, World, corespec

ENVIRONMENTS = "specs/environments"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the environments `local` and `prod`, both rendered."""
    world = World(tmp_path, tmp_path / "local").build()
    text = world.environment.read_text()
    (world.project / ENVIRONMENTS / "prod.yaml").write_text(text.replace("name: local", "name: prod"))
    assert run(world.project).code == 0
    return world.project


def run(project: Path, *arguments: str) -> Result:
    """`corespec render` in a project, with the tiny workflow."""
    return corespec("render", "-C", project, "--catalog", CATALOG, *arguments)


def test_json_counts_and_names_what_changed(project: Path) -> None:
    """Programs get every path; the counts are those of the text."""
    (project / "rendered/prod/templates/tiny-exec.yaml").unlink()
    document = run(project, "-o", "json").document
    assert document["changed"] == ["rendered/prod/templates/tiny-exec.yaml"]
    assert (document["environments"], document["templates"], document["files"]) == (["local", "prod"], 2, 8)


def test_json_of_a_check_holds_the_difference(project: Path) -> None:
    """Stale or not, the same fields; exit code 3 says it as well."""
    fresh = run(project, "--check", "-o", "json")
    assert (fresh.code, fresh.document["stale"], fresh.document["diff"]) == (0, False, "")
    template = project / "rendered/prod/templates/tiny-exec.yaml"
    template.write_text(template.read_text().replace("tiny:0.0.1", "tiny:0.0.9"))
    stale = run(project, "--check", "-o", "json")
    assert (stale.code, stale.document["stale"]) == (3, True)
    assert stale.document["diff"].startswith("--- a/rendered/prod/templates/tiny-exec.yaml\n")
    assert fresh.document.keys() == stale.document.keys()


def test_an_environment_that_is_gone_takes_its_files_along(project: Path) -> None:
    """`--check` finds them stale, `render` removes them and says so; one environment alone says nothing."""
    (project / ENVIRONMENTS / "prod.yaml").unlink()
    (project / "rendered/prod/notes.txt").write_text("mine\n")
    assert run(project, "--check", "-e", "local").code == 0
    stale = run(project, "--check")
    assert stale.code == 3
    assert "--- a/rendered/prod/manifest.json\n+++ /dev/null\n" in stale.out
    done = run(project)
    assert done.out.endswith("Rendered 1 template in 4 files (local): 0 written, 4 removed.\n")
    assert [path.name for path in (project / "rendered/prod").rglob("*")] == ["notes.txt"]
    assert run(project, "--check").code == 0


def test_people_see_some_paths_and_the_count_of_the_rest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of paths help nobody; `-o json` has them."""
    monkeypatch.setattr(verb, "LISTED", 1)
    for template in project.glob("rendered/*/templates/*.yaml"):
        template.unlink()
    assert run(project).out == (
        "rendered/local/templates/tiny-exec.yaml\n"
        "… and 1 more\n"
        "Rendered 2 templates in 8 files (local, prod): 2 written.\n"
    )


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal answers."""
        return True


def test_a_person_who_waits_sees_how_far_it_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only on a terminal, only for many executables, and on stderr: the result stays clean."""
    catalog = project_catalog(project, [CATALOG])
    resolved = {"local": resolve(load_project(project, catalog), "local", catalog)}
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    silent = verb._render_all(resolved)
    assert screen.getvalue() == ""
    monkeypatch.setattr(verb, "UNSEEN", 0)
    assert verb._render_all(resolved) == silent
    assert "1/1" in screen.getvalue()
