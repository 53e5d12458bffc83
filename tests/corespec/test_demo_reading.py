"""The demo says honestly what the model read, right or wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from corespec.demo import shell
from corespec.demo.reading import Compared, compare
from corespec.demo.run import model_folder
from corespec.demo.workspace import Workspace
from corespec.errors import CommandError
from reconciler.live import Artifact, Execution

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_counter_is_compared_with_its_reading(tmp_path: Path) -> None:
    """The whole counter is right or it is not."""
    (tmp_path / "readings.csv").write_text("image,reading\na,01234\n")
    right = compare({"picture": "x/a.jpg", "reading": "01234", "boxes": []}, tmp_path)
    wrong = compare({"picture": "x/a.jpg", "reading": "0123", "boxes": []}, tmp_path)
    assert right.line() == "  a.jpg: read 01234, true 01234: right"
    assert wrong.line() == "  a.jpg: read 0123, true 01234: wrong"


def test_any_other_picture_is_compared_by_its_boxes(tmp_path: Path) -> None:
    """A picture of no meter counts what was found of each class beside what is there."""
    names = "".join(f"<object><name>{name}</name></object>" for name in ("WBC", "RBC", "RBC"))
    (tmp_path / "a.xml").write_text(f"<annotation>{names}</annotation>")
    found = [{"class": "RBC"}, {"class": "RBC"}]
    assert compare({"picture": "a.jpg", "boxes": found}, tmp_path).line() == (
        "  a.jpg: found 2 RBC; marked in the data 2 RBC, 1 WBC"
    )


def test_without_a_truth_nothing_is_claimed() -> None:
    """A picture whose truth is not known is shown without a verdict."""
    assert Compared(Path("a.jpg"), "123", "").line() == "  a.jpg: 123"


def test_the_model_is_found_in_the_object_store(tmp_path: Path) -> None:
    """An artifact's URL leads to a folder of the local AI Core; a run without a model is one message."""
    place = Workspace(tmp_path, "meter-reading")
    model = Artifact("m", "model", "model", "ai://default/e1/trainedmodel", "s", NOW)
    run = Execution("e1", "c", "c--1", "s", "x", "COMPLETED", "COMPLETED", NOW, NOW, outputs=(model,))
    assert model_folder(place, run) == tmp_path / "local/objects/default/e1/trainedmodel"
    with pytest.raises(CommandError, match="no model"):
        model_folder(place, Execution("e1", "c", "c--1", "s", "x", "COMPLETED", "COMPLETED", NOW, NOW))


def test_a_failing_step_names_its_command_log_and_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The demo ends with the code of the step that failed and says which log to read."""
    log = tmp_path / "localcore.log"
    with pytest.raises(CommandError, match=r"localcore\.log") as caught:
        shell.run("python", "-c", "raise SystemExit(2)", log=log)
    assert caught.value.code == 2
    assert capsys.readouterr().out == "$ python -c 'raise SystemExit(2)'\n"


def test_ctrl_c_in_a_step_is_ctrl_c_of_the_demo() -> None:
    """An interrupted command interrupts the demo, which can be run again."""
    with pytest.raises(KeyboardInterrupt):
        shell.run("python", "-c", "raise SystemExit(130)")
