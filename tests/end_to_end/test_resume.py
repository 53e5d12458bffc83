"""A training that is killed three times ends as one left alone does, and so do its curves at the tracker."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from corespec import localserver
from tests.end_to_end.world import World
from tests.trainer.detection.conftest import draw_rectangles

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    "train=0.4", "validation=0.5", "test=0.1", "batch_size=4", "maximum_training_steps=16",
    "evaluation_frequency=4", "input_width=128", "input_height=64", "accelerator=cpu",
)  # fmt: skip


class Training:
    """One process of a training, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def says(self, words: str) -> None:
        """Read on until a line has these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return
        pytest.fail(f"it ended without saying {words!r}:\n{''.join(self.lines)}")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        assert self.process.stdout is not None
        self.lines += self.process.stdout
        assert self.process.wait() == -9

    @property
    def text(self) -> str:
        return "".join(self.lines)


@contextmanager
def training(data: Path, model: Path, execution: str, tracker: str) -> Iterator[Training]:
    """`python -m trainer` with the variables of a pod."""
    command = [sys.executable, "-m", "trainer", "object-detection-train"]
    command += ["--datain", str(data), "--trainedmodel", str(model)]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    pod = {"AICORE_EXECUTION_ID": execution, "AICORE_TRACKING_ENDPOINT": tracker}
    pod |= {"AI-MAIN-TENANT": "local", "AI-RESOURCE-GROUP": "default"}
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **pod, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            yield Training(process)
        finally:
            process.kill()


@contextmanager
def nobody() -> Iterator[str]:
    """An address that refuses every connection."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def killed_three_times(data: Path, model: Path, execution: str, tracker: str) -> None:
    """Killed in a step, in the writing of a checkpoint and in an evaluation; the fourth process ends well.

    While the second one runs the tracker is away, and what it could not send dies with it.
    """
    with training(data, model, execution, tracker) as first:
        first.says(" step 1 ")
        first.kill()
    assert "checkpoint at step" not in first.text
    with nobody() as away, training(data, model, execution, away) as second:
        second.says("checkpoint at step 4")
        # The next checkpoint is written into a pipe: the writer stands in the middle of it when it is killed.
        pipe = model / "checkpoints" / "partial"
        os.mkfifo(pipe)
        with pipe.open("rb") as reader:
            assert reader.read(100)
            second.kill()
    assert "starting afresh" in second.text
    assert second.text.count("does not answer") == 1
    assert "checkpoint at step 8" not in second.text
    with training(data, model, execution, tracker) as third:
        third.says("evaluating at step 12")
        third.kill()
    assert "resuming from" in third.text
    assert "validation at step 12" not in third.text
    with training(data, model, execution, tracker) as fourth:
        fourth.says("model written")
        assert fourth.process.wait() == 0
    assert "resuming from" in fourth.text
    assert "validation at step 8" not in fourth.text


def series(url: str, execution: str) -> list[dict[str, Any]]:
    """What the tracker has of one execution."""
    answer = requests.get(f"{url}/api/v1/metrics", params={"executionIds": execution}, timeout=30)
    (resource,) = answer.json()["resources"]
    metrics: list[dict[str, Any]] = resource["metrics"]
    return metrics


def points(metrics: list[dict[str, Any]]) -> dict[tuple[str, int, str], float]:
    """Values by name, step and split, each of which is there once."""
    found = [(one["name"], one["step"], one["labels"][0]["value"], one["value"]) for one in metrics]
    counts = Counter(point[:3] for point in found)
    assert counts.most_common(1)[0][1] == 1, "a point was sent twice"
    return {(name, step, split): value for name, step, split, value in found}


@pytest.mark.training
@pytest.mark.timeout(900)
def test_a_run_killed_three_times_ends_with_the_figures_and_curves_of_one_left_alone(
    world: World, tmp_path: Path
) -> None:
    """Metrics within 1e-6, the very same weights, and one series without gaps or repetitions."""
    other = f"  other: {{executable: {world.name}-exec, inputs: {{datain: words}}}}\nexecutions:\n"
    world.edit(world.scenario, "executions:\n", f"{other}  other: {{configuration: other}}\n")
    world.push("Two executions")
    result = world.converge()
    assert result.code == 0, result.err + result.out
    rows = world.run("status", "-o", "json").document["rows"]
    alone, killed = (row["execution"] for row in rows if row["execution"])
    server = localserver.running(world.local)
    assert server is not None
    data = draw_rectangles(tmp_path / "rectangles", 100)

    with training(data, tmp_path / "alone", alone, server.url) as whole:
        killed_three_times(data, tmp_path / "killed", killed, server.url)
        whole.says("model written")
        assert whole.process.wait() == 0

    cards = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("alone", "killed")]
    for split, figures in cards[0]["metrics"].items():
        assert cards[1]["metrics"][split] == pytest.approx(figures, abs=1e-6)
    weights = {
        hashlib.sha256((tmp_path / name / "model.safetensors").read_bytes()).hexdigest()
        for name in ("alone", "killed")
    }
    assert len(weights) == 1
    assert not (tmp_path / "killed" / "checkpoints").exists()

    expected, found = (points(series(server.url, execution)) for execution in (alone, killed))
    assert found.keys() == expected.keys()
    assert {step for name, step, _ in found if name == "loss"} == set(range(1, 17))
    assert {step for name, step, split in found if (name, split) == ("coco/mAP", "validation")} == {
        4,
        8,
        12,
        16,
    }
    for point, value in expected.items():
        if point[0] != "images_per_second":
            assert found[point] == pytest.approx(value, abs=1e-6), point
