"""Miniature projects: what is wrong is said exactly and in one run, what is right loads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow
from generator.errors import Diagnostic, InputError
from generator.project import load_project
from generator.spec.resolve import resolve

TESTDATA = Path(__file__).parent / "testdata"
INVALID = sorted(path.name for path in (TESTDATA / "invalid").iterdir())


@pytest.mark.parametrize("case", INVALID)
def test_every_fault_of_a_project_is_reported_in_one_run(case: str, catalog: Mapping[str, Workflow]) -> None:
    """Golden: `expected.txt` holds every line a user sees for `testdata/invalid/<case>`."""
    folder = TESTDATA / "invalid" / case
    with pytest.raises(InputError) as caught:
        load_project(folder, catalog)
    assert f"{caught.value}\n" == (folder / "expected.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", INVALID)
def test_positions_lie_inside_of_their_files(case: str) -> None:
    """Every diagnostic of the golden files points at a line and column that exist."""
    folder = TESTDATA / "invalid" / case
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        path, row, column = re.match(r"([^:]+):(\d+):(\d+): [a-z0-9-]+: .", line).groups()  # type: ignore[union-attr]
        if (folder / path).is_file():
            rows = [*(folder / path).read_bytes().decode("latin-1").split("\n"), ""]
            assert int(column) <= len(rows[int(row) - 1]) + 1


@pytest.mark.parametrize("case", INVALID)
def test_no_diagnostic_repeats_a_secret(case: str) -> None:
    """`hunter2` stands in several specs where a reference belongs; no message may hold it."""
    assert "hunter2" not in (TESTDATA / "invalid" / case / "expected.txt").read_text(encoding="utf-8")


def test_resolve_finds_what_loading_without_a_catalogue_could_not(
    catalog: Mapping[str, Workflow], tmp_path: Path
) -> None:
    """Parameters and inputs need the catalogue: `resolve` reports the same findings that `load_project`
    would.
    """
    folder = TESTDATA / "invalid" / "wrong-parameters"
    project = load_project(folder)
    with pytest.raises(InputError) as caught:
        resolve(project, "local", catalog)
    assert f"{caught.value}\n" == (folder / "expected.txt").read_text(encoding="utf-8")


def test_an_unknown_environment_is_answered_with_the_nearest(
    project: Path, catalog: Mapping[str, Workflow]
) -> None:
    with pytest.raises(InputError, match="no environment `locla`; did you mean `local`"):
        resolve(load_project(project), "locla", catalog)


def test_loading_names_the_file_of_every_scenario_and_environment(project: Path) -> None:
    loaded = load_project(project)
    assert loaded.sources == {
        "meter-reading": "specs/meter-reading.yaml",
        "environments/local": "specs/environments/local.yaml",
    }
    assert loaded.environments["local"].git.path == "rendered/local/templates"


def test_an_unreadable_file_is_a_finding_and_not_a_crash(project: Path) -> None:
    (project / "specs" / "folder.yaml").mkdir()
    with pytest.raises(InputError, match=r"specs/folder\.yaml:1:1: unreadable: cannot be read"):
        load_project(project)


def test_an_oversized_file_is_refused_without_reading_it_whole(project: Path) -> None:
    (project / "specs" / "big.yaml").write_text("a: b\n" * 1_000_000)
    with pytest.raises(InputError, match=r"specs/big\.yaml:1:1: too-large"):
        load_project(project)


def test_diagnostics_are_sorted_and_free_of_repeats() -> None:
    second, first = Diagnostic("b", 1, 1, "x", "y"), Diagnostic("a", 10, 1, "x", "y")
    assert InputError([second, first, second]).diagnostics == (first, second)
    assert str(InputError([first])) == "a:10:1: x: y"
