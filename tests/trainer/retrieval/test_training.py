"""Whole trainings of an embedder, seconds long: figures, model folder, resuming, and the model at work."""

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
from trainer.data.check import inspect
from trainer.data.folders import select_folders
from trainer.errors import DatasetError
from trainer.inference.card import ModelError
from trainer.inference.embedder import Embedder, Embedding
from trainer.inference.models import load_model
from trainer.labelled.network import PooledConfig
from trainer.parameters.retrieval import TABLE
from trainer.retrieval.network import CompactEmbedder
from trainer.retrieval.run import load_pairs
from trainer.retrieval.training import Deployed, RetrievalTraining
from trainer.training.checkpoints import Checkpoints

pytestmark = pytest.mark.training

SHORT = {
    "train": "0.5",
    "validation": "0.15",
    "test": "0.15",
    "index": "0.2",
    "p_classes_per_batch": "3",
    "k_examples_per_class": "4",
    "embedding_dimensions": "16",
    "maximum_training_steps": "40",
    "evaluation_frequency": "0.5",
    "base_learning_rate": "0.004",
    "input_width": "32",
    "input_height": "32",
    "accelerator": "cpu",
    "seed": "3",
}
TINY = {"maximum_training_steps": "8", "precision": "32"}


def training(data: Path, folder: Path, **changes: str) -> RetrievalTraining:
    parameters = TABLE.parse({**SHORT, **changes})
    return RetrievalTraining(parameters, load_pairs(data, parameters), data, folder)


@pytest.fixture(scope="module")
def model(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that has learned the colours."""
    folder = tmp_path_factory.mktemp("model")
    training(colours, folder).run()
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_colours_are_told_apart_better_than_before(model: Path) -> None:
    before, after = read(model / "metrics_test_untrained.json"), read(model / "metrics_test.json")
    assert {"top_1_acc", "rank_rate_5", "mean_dist_pos", "mean_dist_neg"} <= set(after) == set(before)
    assert after["top_1_acc"] > 0.85
    for metrics, wider in ((before, False), (after, True)):
        assert (metrics["mean_dist_neg"] - metrics["mean_dist_pos"] > 0.5) == wider


def test_the_model_folder_is_complete(model: Path) -> None:
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert {
        "model.safetensors", "model.onnx", "model.json", "metrics_test.json", "metrics_test_untrained.json",
        "index.npz", "index_untrained.npz", "curves.png", "confusion_matrix.png",
        "train.txt", "validation.txt", "test.txt", "index.txt",
    } <= files  # fmt: skip
    card = read(model / "model.json")
    assert (card["task"], card["network"]["outputs"]) == ("image-embedding", 16)
    assert card["dataset"]["pictures"] == {"train": 30, "validation": 9, "test": 9, "index": 12}


def test_the_index_is_plain_arrays_of_its_split(model: Path) -> None:
    with np.load(model / "index.npz", allow_pickle=False) as index:
        assert index["vectors"].shape == (12, 16)
        assert (
            index["file_names"].tolist() == (model / "index.txt").read_text(encoding="utf-8").split("\n")[:-1]
        )
        assert [name.split("/")[0] for name in index["file_names"]] == index["labels"].tolist()


def test_onnx_computes_what_torch_computes(model: Path) -> None:
    config = {
        k: tuple(v) if isinstance(v, list) else v for k, v in read(model / "model.json")["network"].items()
    }
    config.pop("name")
    network = CompactEmbedder(PooledConfig(**config))
    network.load_state_dict(load_file(model / "model.safetensors"))
    pictures = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        expected, features = Deployed(network).eval()(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    embedder = load_model(model)
    found = list(embedder.infer(list(pictures), [(32, 32)] * 3))
    np.testing.assert_allclose([one.as_answer()["embedding"] for one in found], expected.numpy(), atol=1e-4)
    assert isinstance(embedder, Embedder)
    (maps,) = embedder.compute(list(pictures), "features")
    np.testing.assert_allclose(maps, features.numpy(), atol=1e-3)


def test_a_picture_of_the_index_finds_itself(model: Path, colours: Path) -> None:
    embedder = load_model(model)
    name = (model / "index.txt").read_text(encoding="utf-8").split("\n")[0]
    with Image.open(colours / name) as picture:
        (found,) = embedder.infer([embedder.prepare(picture)], [picture.size])
    assert isinstance(found, Embedding)
    neighbours = found.as_neighbours(100)
    assert neighbours["catalog_filenames"][0] == name
    assert neighbours["distance"] == sorted(neighbours["distance"])
    assert neighbours["distance"][0] == pytest.approx(0, abs=1e-3)
    assert len(neighbours["catalog_labels"]) == 12


def test_batch_processing_takes_an_embedder(model: Path, colours: Path, tmp_path: Path) -> None:
    folders = ["--datain", str(colours), "--modelin", str(model), "--results", str(tmp_path / "out")]
    assert main(["batch-processing", *folders]) == 0
    rows = (tmp_path / "out" / "results.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "picture,nearest,class,distance"
    assert sum(row.split("/")[0] == row.split(",")[2] for row in rows[1:]) > 50


@pytest.mark.parametrize("loss", ["NCA_LOSS", "CIRCLE_LOSS"])
def test_the_other_losses_train_too(colours: Path, tmp_path: Path, loss: str) -> None:
    run = training(colours, tmp_path, loss=loss, maximum_training_steps="20")
    run.fit()
    points = [value for _, value in run.reporter.curves["loss"]]
    assert points[-1] < points[0]


def test_without_an_index_the_training_pictures_are_searched(colours: Path, tmp_path: Path) -> None:
    run = training(colours, tmp_path, **TINY, index="", freeze_backbone="true")
    assert run.searched == "train"
    before = run.module.network.backbone.stem[0].weight.clone()
    run.run()
    assert torch.equal(run.module.network.backbone.stem[0].weight, before)  # frozen
    with np.load(tmp_path / "index.npz", allow_pickle=False) as index:
        assert len(index["labels"]) == 30
    assert not (tmp_path / "index.txt").exists()


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
    whole = training(colours, tmp_path / "whole", **TINY)
    whole.fit()
    for step in (2, 4, 7):
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed):
                training(colours, tmp_path / "killed", **TINY).fit()
    resumed = training(colours, tmp_path / "killed", **TINY)
    resumed.fit()
    expected = whole.module.network.state_dict()
    for name, value in resumed.module.network.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_no_query_is_in_the_index(colours: Path, tmp_path: Path) -> None:
    """A picture finds itself at distance 0: figures on such queries would be worth nothing."""
    data = tmp_path / "data"
    shutil.copytree(colours, data)
    (data / "test.txt").write_text("red/01.png\ngreen/01.png\n", encoding="utf-8")
    (data / "index.txt").write_text("red/01.png\nred/02.png\ngreen/02.png\n", encoding="utf-8")
    parameters = TABLE.parse({"train": "0.8", "validation": "", "index": "index.txt", "test": "test.txt"})
    report = inspect(data, parameters, select_folders).report
    assert [(e.file, e.line, e.code) for e in report.errors] == [("index.txt", 1, "split-leak")]
    both = TABLE.parse({"train": "index.txt", "validation": "", "index": "index.txt", "test": ""})
    assert inspect(data, both, select_folders).report.ok


def test_data_without_pairs_are_refused(colours: Path, tmp_path: Path) -> None:
    shutil.copytree(colours / "red", tmp_path / "one" / "red")
    with pytest.raises(DatasetError, match="classes-too-few"):
        load_pairs(tmp_path / "one", TABLE.parse(SHORT))
    for name in ("red", "green"):
        (tmp_path / "two" / name).mkdir(parents=True)
        shutil.copy(colours / name / "00.png", tmp_path / "two" / name)
    single = {"train": "1.0", "validation": "", "test": "", "index": ""}
    with pytest.raises(DatasetError, match="no class has two pictures"):
        load_pairs(tmp_path / "two", TABLE.parse(single))


@pytest.mark.parametrize("damage", ["absent", "junk", "pickle", "uneven", "nan"])
def test_a_broken_index_is_no_model(model: Path, tmp_path: Path, damage: str) -> None:
    """Nothing is unpickled, whatever stands in the file."""
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model" / "index.npz"
    vectors, labels = np.ones((2, 16), np.float32), np.array(["a", "b"])
    if damage == "absent":
        path.unlink()
    elif damage == "junk":
        path.write_bytes(b"junk")
    elif damage == "pickle":
        np.savez(path, vectors=vectors, labels=np.array([{}, {}], dtype=object), file_names=labels)
    elif damage == "uneven":
        np.savez(path, vectors=vectors, labels=labels[:1], file_names=labels)
    else:
        np.savez(path, vectors=vectors * np.nan, labels=labels, file_names=labels)
    with pytest.raises(ModelError, match="index"):
        load_model(tmp_path / "model")
