"""A dataset that comes as an archive goes the whole way: plan, upload, artifact, run; then another one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from reconciler.plan_model import FieldChange, StageName
from tests.reconciler.project import QUICK, Project


def _pack(project: Project, files: dict[str, str]) -> None:
    with zipfile.ZipFile(project.clone / "words.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_an_archive_is_uploaded_unpacked_and_counted(project: Project, local: Path) -> None:
    """AI Core gets the files, not the archive; the plan of the next content says how many there were."""
    project.spec.write_text(project.spec.read_text().replace("source: data", "source: words.zip"))
    _pack(project, {"words/a.txt": "a", "words/b.txt": "b"})
    session = project.session()
    made = session.apply(QUICK)
    assert made is not None
    assert made.exit_code == 0
    (change,) = made.plan.of(StageName.REGISTER)
    assert FieldChange("counts.pictures", None, "2") in change.fields
    url = change.fields[0].after or ""
    stored = local / "objects" / url.removeprefix("ai://")
    assert {path.name for path in stored.iterdir()} == {"a.txt", "b.txt"}
    marker = json.loads(stored.with_name(f"{stored.name}.manifest.json").read_text())
    assert marker["notes"] == {"pictures": 2}
    _pack(project, {"a.txt": "a", "b.txt": "b"})
    assert session.plan().empty, "the same files in another archive are the same dataset"
    _pack(project, {"a.txt": "a", "b.txt": "b", "c.txt": "c"})
    (change,) = session.plan().of(StageName.REGISTER)
    assert FieldChange("counts.pictures", "2", "3") in change.fields
