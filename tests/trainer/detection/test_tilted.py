"""A whole training on counters that are tilted by up to thirty degrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.data.load import load_dataset
from trainer.detection.training import DetectionTraining
from trainer.parameters.detection import parse

pytestmark = pytest.mark.training


def test_tilted_rows_are_learned_and_read_along_their_baseline(tilted: Path, tmp_path: Path) -> None:
    """Sorted by x or y alone, some of these rows would be read wrong as soon as boxes overlap in x."""
    parameters = parse(
        {
            "train": "0.7",
            "validation": "0.15",
            "test": "0.15",
            "batch_size": "8",
            "maximum_training_steps": "90",
            "evaluation_frequency": "1",
            "input_width": "96",
            "input_height": "96",
            "base_learning_rate": "0.004",
            "accelerator": "cpu",
            "seed": "3",
        }
    )
    DetectionTraining(parameters, load_dataset(tilted, parameters), tilted, tmp_path / "model").run()
    metrics = json.loads((tmp_path / "model" / "metrics_test.json").read_text(encoding="utf-8"))
    assert metrics["reading_accuracy"] > 0.5
    assert metrics["mean_digit_error"] < 0.3
