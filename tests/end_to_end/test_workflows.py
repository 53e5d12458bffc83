"""Every workflow that is executed, through its rendered template, one feeding the next."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from reconciler.connection import connect
from reconciler.session import Session
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

    The server of models stands beside them, rendered and synced; it is started once a deployment asks for it.
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
    serve_and_ask(world, data / "shapes")


FINDER = """\
deployments:
  finder:
    executable: {name}-serve
    inputs: {{trainedmodels: {{best: {{of: [embed], metric: top_1_acc, atLeast: 0}}}}}}
"""


def serve_and_ask(world: World, shapes: Path) -> None:
    """The embedder that was just trained, behind its rendered ServingTemplate, in both protocols."""
    with world.scenario.open("a") as spec:
        spec.write(FINDER.format(name=world.name))
    world.push("Serve")
    world.converge()
    aicore = connect(Session(world.project, "local").bench().environment, world.project)
    deadline = time.monotonic() + 60
    while (server := aicore.deployments(world.name)[0]).status != "RUNNING":
        assert time.monotonic() < deadline, server
        time.sleep(0.1)
    base = f"/inference/deployments/{server.id}"
    images = [
        base64.b64encode((shapes / kind / "3.png").read_bytes()).decode() for kind in ("round", "square")
    ]
    pipe = aicore._pipe._rest  # the client of the SDK, as the old tutorial used it
    assert pipe.get(f"{base}/v1/status")["status"] == "ready"
    vectors = pipe.post(f"{base}/v1/models/model:predict", body={"images": images})
    assert [len(found["embedding"]) for found in vectors] == [8, 8]
    (nearest,) = pipe.post(f"{base}/v1/models/model:topk", body={"images": images[0], "topK": 2})
    assert len(nearest["catalog_labels"]) == 2
    maps = pipe.post(f"{base}/v1/models/model:similarity", body={"images": images})
    assert [len(found["heatmaps"]) for found in maps] == [2, 2]
    tensor = {"name": "images", "datatype": "BYTES", "shape": [2], "data": images}
    answer = pipe.post(f"{base}/v2/models/model/infer", body={"inputs": [tensor]})
    assert answer["outputs"][0]["shape"] == [2, 8]
