"""Every workflow that is executed, through its rendered template, one feeding the next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.end_to_end.world import World

SPLITS = "train: 0.6, validation: 0.2, test: 0.2"
SPEC = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: {name}, title: All, version: 0.0.1}}
executables:
  {name}-detect: {{workflow: object-detection-train, image: docker.io/acme/a:1, resourcePlan: starter}}
  {name}-classify: {{workflow: image-classification-train, image: docker.io/acme/b:1, resourcePlan: starter}}
  {name}-embed:
    workflow: triplet-distance-learning-train
    image: docker.io/acme/c:1
    resourcePlan: starter
  {name}-batch: {{workflow: batch-processing, image: docker.io/acme/d:1, resourcePlan: starter}}
  {name}-serve: {{workflow: model-serving, image: docker.io/acme/e:1, resourcePlan: starter}}
datasets:
  counters: {{source: data/counters, path: {name}/counters}}
  shapes: {{source: data/shapes, path: {name}/shapes}}
configurations:
  detect:
    executable: {name}-detect
    inputs: {{datain: counters}}
    parameters:
      {{maximum_training_steps: 4, evaluation_frequency: 4, batch_size: 8,
       input_width: 128, input_height: 64}}
  classify:
    executable: {name}-classify
    inputs: {{datain: shapes}}
    parameters: {{{splits}, maximum_training_steps: 4, evaluation_frequency: 4, batch_size: 8}}
  embed:
    executable: {name}-embed
    inputs: {{datain: shapes}}
    parameters:
      {{{splits}, index: "", maximum_training_steps: 4, evaluation_frequency: 4, embedding_dimensions: 8,
       p_classes_per_batch: 2, k_examples_per_class: 4, evaluation_topk: [1, 3]}}
  read:
    executable: {name}-batch
    inputs: {{datain: counters, modelin: {{from: detect.trainedmodel}}}}
  sort:
    executable: {name}-batch
    inputs: {{datain: shapes, modelin: {{from: classify.trainedmodel}}}}
executions:
  detect: {{configuration: detect, retries: 0}}
  classify: {{configuration: classify, retries: 0}}
  embed: {{configuration: embed, retries: 0, dependsOn: [classify]}}
  read: {{configuration: read, retries: 0}}
  sort: {{configuration: sort, retries: 0}}
"""


def draw_shapes(folder: Path) -> None:
    """Two classes that anybody can tell apart, ten pictures each."""
    for name in ("round", "square"):
        (folder / name).mkdir(parents=True)
        for index in range(10):
            picture = Image.new("RGB", (48, 48), (20 * index, 90, 120))
            box = (6 + index, 6, 38, 36 + index % 4)
            draw = ImageDraw.Draw(picture)
            (draw.ellipse if name == "round" else draw.rectangle)(box, fill=(240, 240, 10 * index))
            picture.save(folder / name / f"{index}.png")


@pytest.mark.training
@pytest.mark.timeout(900)
def test_all_workflows_run_and_feed_each_other(world: World) -> None:
    """Three trainings, then two batches that read what they wrote; AI Core is given each run once, in order.

    The server of models stands beside them: rendered and synced, told of in the plan, started by nobody.
    """
    data = world.project / "data"
    draw = ["-m", "trainer", "draw-counters", str(data / "counters"), "--count", "30"]
    subprocess.run([sys.executable, *draw], check=True, capture_output=True)
    draw_shapes(data / "shapes")
    world.scenario.write_text(SPEC.format(name=world.name, splits=SPLITS))
    world.edit(world.environment, "maxLaunchesPerApply: 3", "maxLaunchesPerApply: 5")
    world.push("Everything")
    result = world.converge()
    assert result.code == 0, result.err + result.out
    rows = {row["address"]: row for row in world.run("status", "-o", "json").document["rows"]}
    runs = {address: row["reason"] for address, row in rows.items() if address.startswith("execution/")}
    assert set(runs.values()) == {"Completed"}
    assert len(runs) == 5
    cards = [json.loads(path.read_text()) for path in (world.local / "objects").rglob("model.json")]
    assert {card["task"] for card in cards} >= {"object-detection", "image-classification"}
    results = list((world.local / "objects").rglob("results.jsonl"))
    assert sorted(len(path.read_text().splitlines()) for path in results) == [20, 30]
    again = world.run("plan", "-o", "json")
    assert (again.code, again.document["changes"]) == (0, [])
