"""The process of a training: its exit codes and last words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SPLITS = ("train=0.6", "validation=0.2", "test=0.2", "batch_size=4")


def command(data: Path, model: Path, *settings: str) -> list[str]:
    arguments = [sys.executable, "-m", "trainer", "object-detection-train"]
    arguments += ["--datain", str(data), "--trainedmodel", str(model)]
    for setting in (*SPLITS, *settings):
        arguments += ["--set", setting]
    return arguments


def test_bad_data_end_with_code_2_and_one_line_before_torch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    script = (
        "import sys\nfrom trainer.__main__ import main\n"
        f"code = main({command(tmp_path / 'data', tmp_path / 'model')[3:]!r})\n"
        "assert 'torch' not in sys.modules\nsys.exit(code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "model").exists()


@pytest.mark.training
def test_a_training_that_is_stopped_fails_and_says_how_to_go_on(rectangles: Path, tmp_path: Path) -> None:
    """SIGTERM is a clean exit to Lightning; a run without a model must not count as completed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command(rectangles, tmp_path / "model", "maximum_training_steps=100000"),
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(" step 1 " in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("error: stopped by SIGTERM")
    assert not (tmp_path / "model" / "model.json").exists()
