"""``python -m trainer parameters``: the table on any machine, and every bad value in one go."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.workflows import WORKFLOWS

ROOT = Path(__file__).parents[3]
every_workflow = pytest.mark.parametrize("name", sorted(WORKFLOWS))


@every_workflow
def test_text_names_every_parameter_with_value_default_range_and_meaning(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plain ASCII, so that it prints whatever the container's locale is."""
    assert main(["parameters", name]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[1].split() == ["name", "value", "default", "range", "meaning"]
    first_words = {line.split()[0] for line in lines[2:]}
    assert {row.name for row in WORKFLOWS[name].table.rows} <= first_words
    assert out.isascii()


def test_the_value_in_force_comes_from_the_environment_and_is_marked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another spelling of the default is no change."""
    monkeypatch.setenv("TRAINER_BATCH_SIZE", "16")
    monkeypatch.setenv("TRAINER_IMAGE_TYPES", '[".jpg",".jpeg",".png"]')
    assert main(["parameters", "batch-processing"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "* 16" in rows["batch_size"]
    assert "*" not in rows["image_types"]


def test_bad_values_are_all_named_after_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2; the table still shows what was given."""
    monkeypatch.setenv("TRAINER_LOGLEVEL", "9")
    monkeypatch.setenv("TRAINER_REQUESTTIMEOUT", "soon")
    assert main(["parameters", "model-serving", "--set", "colour=red"]) == 2
    captured = capsys.readouterr()
    assert "* soon" in captured.out
    for words in ("loglevel: must be at most 4", "requesttimeout: expected a duration", "colour: unknown"):
        assert words in captured.err


@every_workflow
def test_json_is_the_table_and_the_values(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINER_IOU_THRESHOLD", "0.4")
    assert main(["parameters", name, "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [row.name for row in WORKFLOWS[name].table.rows]
    assert all(row["value"] == ("0.4" if row["name"] == "iou_threshold" else row["default"]) for row in rows)


@every_workflow
def test_a_run_prints_its_table_first(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where nothing can come of it: the log says what it was started with."""
    folders = [
        argument for option, _ in WORKFLOWS[name].folders for argument in (option, str(tmp_path / "no"))
    ]
    port = ["--models", str(tmp_path / "no")] if name == "model-serving" else []
    assert main([name, *folders, *port]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith(f"parameters of {name} ")
    assert captured.err.strip().splitlines()[-1].startswith("error: ")


@every_workflow
def test_the_standard_library_is_enough_without_home_or_a_place_to_write(name: str) -> None:
    """What `docker run --read-only --user 65534:65534` finds: no HOME, nothing installed is loaded."""
    program = (
        "import sys; sys.path.insert(0, '.'); sys.dont_write_bytecode = True\n"
        "from trainer.__main__ import main\n"
        f"code = main(['parameters', {name!r}])\n"
        "foreign = {module.split('.')[0] for module in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(name for name in foreign if not name.startswith('_') and name != 'trainer'))\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
