"""`corespec import` on the command line: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.world import corespec
from tests.generator.importing.moving import config, snapshot
from tests.generator.importing.templates import GREETING

Write = Callable[[str, str], Path]


def test_it_prints_three_tables_and_what_was_written(root: Path, write: Write) -> None:
    result = corespec("import", write("c.yaml", config()), "-C", root)
    assert (result.code, result.err) == (0, "")
    titles = ["Carried as it is:", "Changed on purpose:", "Not carried:", "Written:"]
    places = [result.out.index(title) for title in titles]
    assert places == sorted(places)
    assert "specs/sap-cv-package-tutorial.yaml" in result.out
    assert corespec("validate", "-C", root).code == 0


def test_a_rehearsal_writes_nothing(root: Path, write: Write) -> None:
    result = corespec("import", write("c.yaml", config()), "-C", root, "--dry-run")
    assert (result.code, "Would write:" in result.out) == (0, True)
    assert snapshot(root) == {}


def test_programs_read_the_account_as_json(root: Path, write: Write) -> None:
    result = corespec(
        "import", write("a.yaml", config()), write("b.yaml", GREETING), "-C", root, "-o", "json"
    )
    document = result.document
    assert document["executables"] == ["sap-cv-package-tutorial-obj-detection-train", "first-greeting"]
    assert document["scenarios"] == ["sap-cv-package-tutorial", "learning"]
    assert "specs/learning.yaml" in document["files"]
    assert document["dry_run"] is False
    assert {row["outcome"] for row in document["rows"]} == {"carried", "changed", "not carried"}
    assert all({"file", "subject", "before", "after", "reason"} <= row.keys() for row in document["rows"])


def test_a_bad_file_ends_with_code_2_and_every_finding(root: Path, write: Write) -> None:
    path = write("c.yaml", config(image="<YOUR_DOCKER_USERNAME>/x:1", imagePullSecret="<YOUR_DOCKER_SECRET>"))
    result = corespec("import", path, "-C", root)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 2
    assert result.err.startswith(f"{path.as_posix()}:2:") or result.err.startswith(f"{path.as_posix()}:3:")
    again = corespec("import", path, "-C", root, "-o", "json")
    codes = [item["code"] for item in json.loads(again.out)["error"]["diagnostics"]]
    assert codes == ["placeholder", "placeholder"]


def test_the_verb_is_listed_under_its_own_name(root: Path) -> None:
    """`import` is a word of Python, so its module bears another."""
    listed = corespec("--help").out
    assert "import" in listed
    assert "import_" not in listed
    assert corespec("import", "--help").code == 0
