"""Whole trainings, seconds long, on coloured rectangles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from trainer.data.load import load_dataset
from trainer.detection.evaluation import Evaluation
from trainer.detection.export import Deployed
from trainer.detection.network import CompactDetector, NetworkConfig
from trainer.detection.training import DetectionTraining
from trainer.errors import ParameterError
from trainer.inference.models import load_model
from trainer.parameters.detection import parse
from trainer.tracking import Tracker
from trainer.training.checkpoints import Checkpoints

pytestmark = pytest.mark.training

SHORT = {
    "train": "0.6",
    "validation": "0.2",
    "test": "0.2",
    "batch_size": "8",
    "maximum_training_steps": "90",
    "evaluation_frequency": "0.5",
    "input_width": "128",
    "input_height": "64",
    "base_learning_rate": "0.004",
    "accelerator": "cpu",
    "seed": "3",
}


def training(data: Path, folder: Path, tracker: Tracker | None = None, **changes: str) -> DetectionTraining:
    parameters = parse({**SHORT, **changes})
    return DetectionTraining(parameters, load_dataset(data, parameters), data, folder, tracker)


@pytest.fixture(scope="module")
def model(rectangles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that has learned the rectangles."""
    folder = tmp_path_factory.mktemp("model")
    training(rectangles, folder).run()
    return folder


def test_coloured_rectangles_are_learned_in_ninety_steps(model: Path) -> None:
    metrics = json.loads((model / "metrics_test.json").read_text(encoding="utf-8"))
    assert metrics["mAP/allClasses"] > 0.9
    assert metrics["reading_accuracy"] > 0.5


def test_the_model_folder_is_complete(model: Path) -> None:
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert {
        "model.safetensors", "model.onnx", "model.json", "metrics_test.json", "curves.png",
        "confusion_matrix.png", "train.txt", "validation.txt", "test.txt", "evaluation.json", "report.html",
    } <= files  # fmt: skip
    assert sum(name.startswith("samples/") for name in files) == 8
    assert not (model / "checkpoints").exists()


def test_the_description_says_what_a_reader_of_the_model_needs(model: Path) -> None:
    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    assert card["format_version"] == 1
    assert card["classes"] == ["1", "2", "3"]
    assert (card["input"]["width"], card["input"]["height"]) == (128, 64)
    assert card["class_agnostic_nms"]
    assert card["digits"]
    assert 0 < card["score_threshold"] < 1
    assert card["parameters"]["maximum_training_steps"] == 90
    assert card["training"]["steps"] == 90
    assert set(card["metrics"]) == {"validation", "test"}
    assert card["dataset"]["pictures"] == {"train": 24, "validation": 8, "test": 8}
    assert card["versions"]["torch"] == torch.__version__


def test_the_report_shows_the_figures_that_were_measured(model: Path) -> None:
    """Judged anew from what was found in each picture, and the same to three digits."""
    metrics = json.loads((model / "metrics_test.json").read_text(encoding="utf-8"))
    page = (model / "report.html").read_text(encoding="utf-8")
    marked = re.search(r'<tr class="marked">(.*?)</tr>', page)
    assert marked is not None
    shown = [float(cell) for cell in re.findall(r"<td>(.*?)</td>", marked.group(1))[1:]]
    names = ("precision", "recall", "F1", "reading_accuracy")
    assert shown == pytest.approx([metrics[name] for name in names], abs=6e-4)
    assert len(re.findall("<figure>", page)) == 8


def test_onnx_computes_what_torch_computes(model: Path) -> None:
    """Weights from the safetensors file, rebuilt from model.json: the two files are the same model."""
    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in card["network"].items() if k != "name"}
    network = CompactDetector(NetworkConfig(**config))
    network.load_state_dict(load_file(model / "model.safetensors"))
    pictures = np.random.default_rng(1).integers(0, 256, (3, 3, 64, 128), dtype=np.uint8)
    with torch.no_grad():
        boxes, scores = Deployed(network.eval())(torch.from_numpy(pictures))
    session = onnxruntime.InferenceSession(model / "model.onnx", providers=["CPUExecutionProvider"])
    onnx_boxes, onnx_scores = session.run(None, {"pictures": pictures})
    np.testing.assert_allclose(onnx_scores, scores.numpy(), atol=1e-4)
    np.testing.assert_allclose(onnx_boxes, boxes.numpy(), atol=1e-2)


def test_the_model_folder_reads_its_own_test_pictures(model: Path, rectangles: Path) -> None:
    """ONNX Runtime and the evaluation agree: most pictures are read as their annotations say."""
    detector = load_model(model)
    stems = (model / "test.txt").read_text(encoding="utf-8").split()
    right = 0
    for stem in stems:
        path = rectangles / "JPEGImages" / f"{stem}.png"
        with Image.open(path) as picture:
            (found,) = detector.infer([detector.prepare(picture)], [picture.size])
        annotation = (rectangles / "Annotations" / f"{stem}.xml").read_text(encoding="utf-8")
        truth = "".join(part[0] for part in annotation.split("<name>")[1:])
        right += found.as_dict()["reading"] == truth
    accuracy = json.loads((model / "metrics_test.json").read_text(encoding="utf-8"))["reading_accuracy"]
    assert right / len(stems) == pytest.approx(accuracy, abs=0.13)


TINY = {"maximum_training_steps": "8", "evaluation_frequency": "0.5", "batch_size": "4", "precision": "32"}


def test_the_same_seed_gives_the_same_weights(rectangles: Path, tmp_path: Path) -> None:
    states = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        run = training(rectangles, tmp_path / name, **TINY, seed=seed)
        run.fit()
        states.append(run.module.network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["classify.weight"], states[2]["classify.weight"])


def test_two_replicas_in_half_precision_repeat_themselves_too(rectangles: Path, tmp_path: Path) -> None:
    """Which thread is faster changes nothing; without bfloat16 units it is computed all the same."""
    states = []
    torch.set_num_threads(2)
    try:
        for name in ("a", "b"):
            run = training(rectangles, tmp_path / name, **{**TINY, "batch_size": "8", "precision": "bf16"})
            run.fit()
            states.append(run.module.network.state_dict())
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    fresh = training(rectangles, tmp_path / "c", **TINY).module.network.state_dict()
    assert not torch.equal(states[0]["classify.weight"], fresh["classify.weight"])


class Killed(BaseException):
    """What kill -9 looks like from inside: nobody catches it and nothing is tidied up."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Checkpoint after every step (those before an evaluation excepted), and die at the end of ``step``."""
    original: Callable[..., None] = Checkpoints.on_train_batch_end

    def act_and_die(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        self.interval, self._written = 1.0, self.clock() - 2
        original(self, trainer, *rest)
        if trainer.global_step == step:
            raise Killed

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", act_and_die)


@pytest.mark.parametrize("step", [3, 4, 5])
def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(
    rectangles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Killed before, at and after the evaluation of step 4; resumed with all curves."""
    whole = training(rectangles, tmp_path / "whole", **TINY)
    whole.fit()
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(Killed):
            training(rectangles, tmp_path / "killed", **TINY).fit()
    resumed = training(rectangles, tmp_path / "killed", **TINY)
    resumed.fit()
    expected = whole.module.network.state_dict()
    for name, value in resumed.module.network.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert [s for s, _ in resumed.reporter.curves["coco/mAP"]] == [4, 8]
    assert [s for s, _ in resumed.reporter.curves["loss"]] == [s for s, _ in whole.reporter.curves["loss"]]
    assert resumed.steps == 8


def test_a_limit_in_minutes_ends_a_run_of_many_steps(rectangles: Path, tmp_path: Path) -> None:
    run = training(rectangles, tmp_path, maximum_training_steps="1000000", maximum_training_minutes="0.05")
    run.fit()
    assert 1 < run.steps < 1_000_000
    assert run.reporter.curves["learning_rate"][-1][1] < 0.004 / 5


def test_without_validation_and_test_the_last_average_is_the_model(rectangles: Path, tmp_path: Path) -> None:
    run = training(rectangles, tmp_path, **TINY, train="1.0", validation="", test="")
    run.run()
    weights = load_file(tmp_path / "model.safetensors")
    name = "classify.weight"
    torch.testing.assert_close(weights[name], run.averaged.average[name])
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "metrics_test.json").exists()


def test_early_stopping_ends_a_run_that_stands_still(
    rectangles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One evaluation and two without progress, killed in between or not; the CV package's rule."""
    same = {"mAP/allClasses": 0.5, "coco/mAP": 0.4}
    monkeypatch.setattr(Evaluation, "_average_precision", lambda self, detailed: dict(same))
    changes = {**TINY, "maximum_training_steps": "40", "evaluation_frequency": "2"}
    run = training(rectangles, tmp_path / "whole", **changes, early_stopping_patience="2")
    run.fit()
    assert run.steps == 6
    with monkeypatch.context() as patch:
        kill_at(patch, 5)
        with pytest.raises(Killed):
            training(rectangles, tmp_path / "killed", **changes, early_stopping_patience="2").fit()
    resumed = training(rectangles, tmp_path / "killed", **changes, early_stopping_patience="2")
    resumed.fit()
    assert resumed.steps == 6
    assert resumed.chosen.step == run.chosen.step == 2


def test_training_goes_on_from_given_weights(model: Path, rectangles: Path, tmp_path: Path) -> None:
    run = training(rectangles, tmp_path, **TINY, weights=str(model / "model.safetensors"))
    expected = load_file(model / "model.safetensors")
    state = run.module.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_weights_that_do_not_fit_are_an_input_error(rectangles: Path, tmp_path: Path) -> None:
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    for name in ("junk.safetensors", "absent.safetensors"):
        with pytest.raises(ParameterError, match="weights"):
            training(rectangles, tmp_path / "out", weights=str(tmp_path / name))
