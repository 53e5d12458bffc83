"""``python -m trainer``: exit codes, streams, and no torch where none is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainer.__main__ import main

CHECK = ["check", "object-detection-train", "--datain"]


def test_check_accepts_and_prints_json(sound: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, and nothing but the document on stdout."""
    assert main([*CHECK, str(sound.root), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == {"train": 4, "validation": 1, "test": 1}


def test_check_refuses_with_two(sound: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with every bad file in the document; skip turns that into 0."""
    sound.annotation("a", ())
    assert main([*CHECK, str(sound.root), "-o", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [(error["file"], error["code"]) for error in document["errors"]] == [
        ("Annotations/a.xml", "no-boxes")
    ]
    assert main([*CHECK, str(sound.root), "--set", "bad_data=skip"]) == 0
    assert "1 left out" in capsys.readouterr().out


def test_parameters_come_from_the_environment_and_set_wins(
    sound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every parameter is TRAINER_<NAME>; a person overrides one."""
    monkeypatch.setenv("TRAINER_TRAIN", "missing.txt")
    assert main([*CHECK, str(sound.root)]) == 2
    assert main([*CHECK, str(sound.root), "--set", "train=train.txt"]) == 0


@pytest.mark.parametrize(
    ("setting", "words"), [("seed", "expected NAME=VALUE"), ("sede=1", "did you mean seed?")]
)
def test_a_bad_parameter_is_one_clear_last_line(
    sound: Any, capsys: pytest.CaptureFixture[str], setting: str, words: str
) -> None:
    """Exit 2, and the last line of stderr is what becomes the execution's status message."""
    assert main([*CHECK, str(sound.root), "--set", setting]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last


def test_bad_data_stops_a_training_before_it_starts(sound: Any, tmp_path: Path) -> None:
    """The training verb answers 2 with the first fault and the way on; the model folder stays empty."""
    sound.annotation("a", ())
    model = tmp_path / "model"
    command = [sys.executable, "-m", "trainer", "object-detection-train", "--datain", str(sound.root)]
    pytest.importorskip("torch", reason="needs torch: pip install 'corespec[train]'")
    done = subprocess.run(
        [*command, "--trainedmodel", str(model), "--set", "aicore_tracking=false"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Annotations/a.xml: no-boxes" in done.stderr.strip().splitlines()[-1]
    assert not list(model.glob("*.safetensors"))


def test_parameters_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON for the conformance test, as text for people."""
    assert main(["parameters", "object-detection-train", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "model_name"
    assert main(["parameters", "object-detection-train"]) == 0
    assert "base_learning_rate" in capsys.readouterr().out


def test_draw_counters_refuses_a_folder_in_use(sound: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the user's is overwritten."""
    assert main(["draw-counters", str(sound.root), "--count", "10"]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["draw-counters", str(sound.root / "new"), "--count", "9"]) == 2


def test_help_check_and_parameters_load_no_torch(sound: Any) -> None:
    """A reconciler's machine has none; importing it would cost seconds."""
    program = (
        "import sys; from trainer.__main__ import main; "
        "main(['parameters', 'object-detection-train']); main(sys.argv[1:]); "
        "print([name for name in sys.modules if name.split('.')[0] in ('torch', 'numpy', 'torchvision')])"
    )
    command = [sys.executable, "-c", program, *CHECK, str(sound.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
