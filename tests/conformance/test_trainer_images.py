"""An image holds what its workflow imports: the lock files of the catalogue against the trainer's imports."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "generator" / "catalog" / "_shared" / "requirements"
TOOLS = {"setuptools", "regex"}
"""What other libraries import where it happens to be installed, and do without where it is not."""

INFERENCE = ("trainer.batch.run", "trainer.serving.run", "trainer.inference.models", "trainer.tracking")
TRAINING = ("trainer.detection.training", "trainer.classification.training", "trainer.retrieval.training")


def locked(name: str) -> set[str]:
    """The distributions a lock file pins."""
    text = (LOCKS / name).read_text(encoding="utf-8")
    return {normalized(match) for match in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(modules: tuple[str, ...], before: str = "") -> set[str]:
    """The distributions whose modules are loaded once ``modules`` are imported."""
    lines = ["import sys", before, *(f"import {module}" for module in modules)]
    lines.append("print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))")
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    owners = importlib.metadata.packages_distributions()
    loaded = {normalized(owners[name][0]) for name in done.stdout.split() if name in owners}
    return loaded - TOOLS - {"corespec"}


def test_batch_processing_and_serving_import_what_their_image_has() -> None:
    """And no torch, which would make the image ten times as large."""
    needed = imported(INFERENCE)
    assert needed <= locked("inference.txt")
    assert not {"torch", "onnx", "matplotlib"} & needed


def test_trainings_import_what_their_image_has() -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'corespec[train]'")
    remedy = "from trainer.torchvision_remedy import ensure_torchvision; ensure_torchvision()"
    assert imported(TRAINING, remedy) <= locked("training-cpu.txt")
