"""The remedy acts only where torchvision's operators do not load; whole and absent ones are left alone.

Every case runs in its own process: an import can only be watched from a fresh interpreter.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

FAKE = """
import torch
{body}
"""


def run(script: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with ``paths`` before everything else on the module path."""
    prologue = f"import sys; sys.path[:0] = {[str(path) for path in (*paths, ROOT)]!r}\n"
    return subprocess.run(
        [sys.executable, "-c", prologue + script], capture_output=True, text=True, timeout=200, check=False
    )


def fake(folder: Path, body: str) -> Path:
    """A package called torchvision whose import does what ``body`` says."""
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(FAKE.format(body=body), encoding="utf-8")
    return folder


WATCH = """
from trainer import torchvision_remedy as remedy
defined = []
original = remedy._define_operators
remedy._define_operators = lambda: defined.append(1) or original()
"""


def test_a_whole_torchvision_is_imported_and_nothing_is_defined(tmp_path: Path) -> None:
    script = WATCH + "print(remedy.ensure_torchvision(), defined, sys.modules['torchvision'].MARK)"
    result = run(script, fake(tmp_path, "MARK = 'whole'"))
    assert result.stdout.split("\n")[0] == "native [] whole", result.stderr


def test_a_torchvision_that_describes_missing_operators_is_mended(tmp_path: Path) -> None:
    """The fake fails the way the real one does: a fake kernel for an operator nobody has defined."""
    body = "torch.library.register_fake('torchvision::nms')(lambda dets, scores, iou_threshold: dets)"
    broken = fake(tmp_path, body)
    bare = run("import torchvision", broken)
    assert "operator torchvision::nms does not exist" in bare.stderr
    result = run(WATCH + "print(remedy.ensure_torchvision(), defined)", broken)
    assert result.stdout.split("\n")[0] == "remedied [1]", result.stderr


def test_the_installed_torchvision_serves_torchmetrics_and_lightning() -> None:
    """Broken or whole: after the remedy the imports that die without it succeed."""
    script = """
from trainer.torchvision_remedy import ensure_torchvision
state = ensure_torchvision()
import torchvision.extension
assert (state == "native") == torchvision.extension._has_ops()
from torchmetrics.detection import MeanAveragePrecision
import pytorch_lightning
print("fine")
"""
    result = run(script)
    assert result.stdout.strip().endswith("fine"), result.stderr


def test_an_absent_torchvision_is_named_with_the_command_that_installs_it() -> None:
    script = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torchvision" else real(name, package)
from trainer.torchvision_remedy import TorchvisionMissingError, ensure_torchvision
try:
    ensure_torchvision()
except TorchvisionMissingError as error:
    print(error.exit_code, error)
"""
    result = run(script)
    assert result.stdout.startswith("1 torchvision is not installed"), result.stderr
    assert "pip install 'corespec[train]'" in result.stdout


def test_a_torchvision_broken_otherwise_is_reported_not_patched(tmp_path: Path) -> None:
    script = (
        WATCH
        + """
try:
    remedy.ensure_torchvision()
except remedy.TorchvisionMissingError as error:
    print(defined, error)
"""
    )
    result = run(script, fake(tmp_path, "raise RuntimeError('compiled with different CUDA major versions')"))
    assert result.stdout.startswith("[] torchvision does not import (compiled with different CUDA")
    assert "corespec[train]" in result.stdout
