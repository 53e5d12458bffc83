"""From drawn pictures to a read counter through the rendered template: the path of the demo, in seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.end_to_end.world import World

PARAMETERS = (
    "train: train.txt, validation: val.txt, test: test.txt, batch_size: 8, maximum_training_steps: 6, "
    "evaluation_frequency: 6, early_stopping: false, input_width: 128, input_height: 64"
)


@pytest.mark.training
@pytest.mark.timeout(600)
def test_a_detector_is_trained_measured_and_found_again(world: World) -> None:
    """A spec becomes a model folder in the store, mAP per class at the metrics API, and logs to read."""
    draw = [
        sys.executable,
        "-m",
        "trainer",
        "draw-counters",
        str(world.project / "data" / "counters"),
        "--count",
        "40",
    ]
    subprocess.run(draw, check=True, capture_output=True)
    world.edit(world.scenario, "workflow: tiny-train", "workflow: object-detection-train")
    world.edit(world.scenario, "source: data/words", "source: data/counters")
    world.edit(world.scenario, "base_learning_rate: 0.001, maximum_training_steps: 10", PARAMETERS)
    world.push("Train")
    result = world.converge()
    assert result.code == 0, result.err + result.out
    (row,) = [row for row in world.run("status", "-o", "json").document["rows"] if row["execution"]]
    assert row["reason"] == "Completed"
    (measured,) = world.run("metrics", "-o", "json").document["executions"]
    assert {"validation", "test"} <= set(measured["splits"])
    assert {"mAP/allClasses", "mAP/0", "reading_accuracy"} <= set(measured["splits"]["test"])
    logs = world.run("logs", row["execution"])
    assert logs.code == 0
    assert "step" in logs.out
    (model,) = (world.local / "objects" / "default").rglob("model.json")
    card = json.loads(model.read_text())
    assert card["classes"] == list("0123456789")
    assert {path.name for path in model.parent.iterdir()} >= {"model.safetensors", "model.onnx", "curves.png"}
