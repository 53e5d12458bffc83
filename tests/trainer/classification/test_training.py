"""Whole trainings of a classifier, seconds long: figures, model folder, resuming, and the model at work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from trainer.__main__ import main
from trainer.classification.training import ClassificationTraining, Deployed
from trainer.data.folders import select_folders
from trainer.data.load import load_dataset
from trainer.errors import DatasetError
from trainer.inference.models import load_model
from trainer.labelled.network import PooledConfig, PooledNetwork
from trainer.parameters.classification import TABLE
from trainer.tracking import Tracker
from trainer.training.checkpoints import Checkpoints

pytestmark = pytest.mark.training

SHORT = {
    "train": "0.6",
    "validation": "0.2",
    "test": "0.2",
    "batch_size": "8",
    "maximum_training_steps": "60",
    "evaluation_frequency": "0.5",
    "base_learning_rate": "0.004",
    "input_width": "32",
    "input_height": "32",
    "accelerator": "cpu",
    "seed": "3",
}
TINY = {"maximum_training_steps": "8", "evaluation_frequency": "0.5", "precision": "32"}


def training(
    data: Path, folder: Path, tracker: Tracker | None = None, **changes: str
) -> ClassificationTraining:
    parameters = TABLE.parse({**SHORT, **changes})
    return ClassificationTraining(
        parameters, load_dataset(data, parameters, select_folders), data, folder, tracker
    )


@pytest.fixture(scope="module")
def model(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that has learned the colours."""
    folder = tmp_path_factory.mktemp("model")
    training(colours, folder, projection_layers="[24]").run()
    return folder


def test_colours_are_learned_in_sixty_steps(model: Path) -> None:
    metrics = json.loads((model / "metrics_test.json").read_text(encoding="utf-8"))
    assert metrics["accuracy"] > 0.9
    assert {"accuracy:red", "recall:red", "precision:red", "f1score:red", "f1score"} <= set(metrics)


def test_the_model_folder_is_complete(model: Path) -> None:
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert {
        "model.safetensors", "model.onnx", "model.json", "metrics_test.json", "curves.png",
        "confusion_matrix.png", "train.txt", "validation.txt", "test.txt",
    } <= files  # fmt: skip
    assert sum(name.startswith("samples/") for name in files) == 12
    assert not (model / "checkpoints").exists()
    assert (model / "test.txt").read_text(encoding="utf-8").splitlines()[0].startswith("green/")


def test_the_description_says_what_a_reader_of_the_model_needs(model: Path) -> None:
    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    assert (card["format_version"], card["task"]) == (1, "image-classification")
    assert card["classes"] == ["green", "red", "yellow"]
    assert card["network"]["projection"] == [24]
    assert card["training"]["steps"] == 60
    assert card["dataset"]["pictures"] == {"train": 36, "validation": 12, "test": 12}
    assert set(card["metrics"]) == {"validation", "test"}
    assert card["versions"]["torch"] == torch.__version__


def test_onnx_computes_what_torch_computes(model: Path) -> None:
    """Weights from the safetensors file, rebuilt from model.json: the two files are the same model."""
    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    config = {k: tuple(v) if isinstance(v, list) else v for k, v in card["network"].items() if k != "name"}
    network = PooledNetwork(PooledConfig(**config))
    network.load_state_dict(load_file(model / "model.safetensors"))
    pictures = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        expected, _ = Deployed(network).eval()(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    judged = list(load_model(model).infer(list(pictures), [(32, 32)] * 3))
    np.testing.assert_allclose([one.as_answer()["probs"] for one in judged], expected.numpy(), atol=1e-4)


def test_the_model_judges_its_own_test_pictures(model: Path, colours: Path) -> None:
    """Every task of a model answers through the same two calls."""
    classifier = load_model(model)
    right = 0
    stems = (model / "test.txt").read_text(encoding="utf-8").splitlines()
    for stem in stems:
        with Image.open(colours / stem) as picture:
            (judged,) = classifier.infer([classifier.prepare(picture)], [picture.size])
        answer = judged.as_answer()
        assert set(answer) == {"probs", "predicted_class_name", "predicted_class"}
        assert sum(answer["probs"]) == pytest.approx(1, abs=1e-3)
        right += answer["predicted_class_name"] == stem.split("/")[0]
    accuracy = json.loads((model / "metrics_test.json").read_text(encoding="utf-8"))["accuracy"]
    assert right / len(stems) == pytest.approx(accuracy, abs=0.09)


def test_batch_processing_takes_a_classifier(model: Path, colours: Path, tmp_path: Path) -> None:
    folders = ["--datain", str(colours), "--modelin", str(model), "--results", str(tmp_path / "out")]
    assert main(["batch-processing", *folders]) == 0
    rows = (tmp_path / "out" / "results.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "picture,class,index,probability"
    assert len(rows) == 61
    first = json.loads((tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["picture"] == "green/00.png"
    assert len(first["probs"]) == 3
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert sum(summary["classes"].values()) == 60


def test_the_same_seed_gives_the_same_weights(colours: Path, tmp_path: Path) -> None:
    states = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        run = training(colours, tmp_path / name, **TINY, seed=seed)
        run.fit()
        states.append(run.module.network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


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


def test_a_run_killed_three_times_ends_with_the_weights_of_an_undisturbed_one(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Augmentation and batches included; killed before, at and after the evaluation of step 4.

    Every process begins with an empty model folder, as a new pod does; the checkpoints lie on a volume.
    """
    whole = training(colours, tmp_path / "whole", **TINY)
    whole.fit()
    state = {"checkpoint_folder": str(tmp_path / "volume")}
    for step in (2, 4, 7):
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed):
                training(colours, tmp_path / f"killed {step}", **TINY, **state).fit()
    resumed = training(colours, tmp_path / "resumed", **TINY, **state)
    resumed.fit()
    expected = whole.module.network.state_dict()
    for name, value in resumed.module.network.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert [step for step, _ in resumed.reporter.curves["accuracy"]] == [4, 8]


def test_metrics_go_to_the_tracker_under_the_names_of_the_cv_package(colours: Path, tmp_path: Path) -> None:
    sent: list[Any] = []
    tracker = Tracker(lambda metrics, _: sent.extend(metrics))
    training(colours, tmp_path, tracker, **TINY).run()
    names = {(metric.name, label.value) for metric in sent for label in metric.labels}
    for name in ("accuracy", "accuracy:red", "recall:red", "f1score:red"):
        assert {(name, "validation"), (name, "test")} <= names
    assert {("loss", "train"), ("learning_rate", "train")} <= names
    assert not [name for name, _ in names if name == "selection"]


def test_one_class_is_nothing_to_tell_apart(colours: Path, tmp_path: Path) -> None:
    shutil.copytree(colours / "red", tmp_path / "data" / "red")
    with pytest.raises(DatasetError, match="classes-too-few"):
        load_dataset(tmp_path / "data", TABLE.parse(SHORT), select_folders)
