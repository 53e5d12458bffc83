"""Larger detectors: built without a network, trained by steps, exported, and loaded again as a start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.trainer.detection.conftest import draw_rectangles
from trainer.detection.assignment import Truth
from trainer.detection.pretrained.catalogue import BLUEPRINTS
from trainer.detection.suppression import detect
from trainer.errors import ParameterError
from trainer.inference.models import load_model
from trainer.parameters.detection import parse

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED_MILLIONS = {
    "d-fine-n": 4, "d-fine-s": 10, "d-fine-m": 19, "d-fine-l": 31, "d-fine-x": 62,
    "rt-detr-v2-s": 20, "rt-detr-v2-m": 31, "rt-detr-v2-l": 42, "rt-detr-v2-x": 76,
}  # fmt: skip
SIZE = (128, 64)

needs_transformers = pytest.mark.usefixtures("_transformers")


@pytest.fixture(scope="session")
def _transformers() -> None:
    for package in ("transformers", "scipy"):
        pytest.importorskip(package, reason="pip install 'corespec[pretrained]'")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function that builds, where nothing can be fetched."""
    from trainer.detection.pretrained import loading

    def offline(*_: Any, **__: Any) -> str:
        raise loading.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(loading.huggingface_hub, "snapshot_download", offline)
    return loading.build


def test_the_name_of_the_cv_package_still_trains_the_compact_detector() -> None:
    assert parse({"model_name": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml"}).model_name == "compact"
    assert parse({"model_name": "d-fine-s"}).model_name == "d-fine-s"


@needs_transformers
@pytest.mark.parametrize("name", sorted(BLUEPRINTS))
def test_every_detector_has_the_size_of_the_published_one(name: str, build: Any) -> None:
    """Millions of parameters as in the papers' tables, for COCO's 80 classes; built on no memory at all."""
    with torch.device("meta"):
        network = build(name, [str(number) for number in range(80)], (640, 640), "random", Path())
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED_MILLIONS[name], abs=1.0)


@needs_transformers
def test_weights_that_cannot_be_fetched_are_an_input_error_with_the_remedy(build: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        build("d-fine-s", ["a"], SIZE, "", Path())
    for words in ("cannot be fetched", "hf download ustc-community/dfine-small-coco", "weights=random"):
        assert words in str(caught.value)


@needs_transformers
def test_a_folder_or_a_file_of_weights_is_a_start_for_other_classes_too(build: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = build("d-fine-n", ["a", "b"], SIZE, "random", Path())
    network.config.to_json_file(tmp_path / "config.json")
    save_file(
        {name: value.clone() for name, value in network.state_dict().items()}, tmp_path / "model.safetensors"
    )
    same = build("d-fine-n", ["x", "y"], SIZE, ".", tmp_path).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in network.state_dict().items())
    other = build("d-fine-n", ["a", "b", "c"], SIZE, "model.safetensors", tmp_path).state_dict()
    changed = {name for name, value in network.state_dict().items() if value.shape != other[name].shape}
    assert changed
    assert all("class_embed" in name or "score_head" in name for name in changed)
    assert all(torch.equal(v, other[name]) for name, v in network.state_dict().items() if "backbone" in name)
    with pytest.raises(ParameterError, match="rt_detr_v2"):
        build("rt-detr-v2-s", ["a", "b"], SIZE, ".", tmp_path)
    save_file({"unknown": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ParameterError, match="absent"):
        build("d-fine-n", ["a", "b"], SIZE, ".", tmp_path)


@needs_transformers
def test_objects_are_shares_of_the_picture_and_padding_is_none() -> None:
    from trainer.detection.pretrained.module import objects

    truth = Truth(
        torch.tensor([[[32.0, 16, 64, 48], [0, 0, 0, 0]]]),
        torch.tensor([[3, 0]]),
        torch.tensor([[True, False]]),
    )
    one = objects(truth, 0, 128, 64)
    assert one["class_labels"].tolist() == [3]
    torch.testing.assert_close(one["boxes"], torch.tensor([[0.375, 0.5, 0.25, 0.5]]))


def test_what_names_every_object_once_is_not_suppressed() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [40, 0, 50, 10]], np.float32)
    scores = np.array([[0.5, 0], [0.9, 0], [0, 0.005]], np.float32)
    free = detect(boxes, scores, class_agnostic=False, nms_free=True)
    assert free.boxes.tolist() == [[0, 0, 10, 9], [0, 0, 10, 10]]
    assert len(detect(boxes, scores, class_agnostic=False).scores) == 1
    assert len(detect(boxes, scores, class_agnostic=True, nms_free=True).scores) == 1  # one wheel, one digit
    assert len(detect(boxes, scores, class_agnostic=False, nms_free=True, overlap=0.5).scores) == 1


def train(
    data: Path, model: Path, *settings: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainer", "object-detection-train"]
    command += ["--datain", str(data), "--trainedmodel", str(model)]
    for setting in ("model_name=d-fine-n", "train=0.4", "validation=0.4", "test=0.2", "batch_size=4",
                    "input_width=128", "input_height=64", "accelerator=cpu", *settings):  # fmt: skip
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False
    )


@needs_transformers
@pytest.mark.training
@pytest.mark.timeout(600)
def test_a_larger_detector_trains_exports_and_predicts(tmp_path: Path) -> None:
    """From nothing, five steps, by the command of the container; then with ONNX Runtime on any batch size."""
    from trainer.detection.pretrained.loading import build
    from trainer.detection.pretrained.module import Deployed

    data, model = draw_rectangles(tmp_path / "rectangles", 20), tmp_path / "model"
    settings = (
        "weights=random",
        "maximum_training_steps=5",
        "evaluation_frequency=5",
        "base_learning_rate=0.0005",
    )
    done = train(data, model, *settings)
    assert done.returncode == 0, done.stderr
    card = json.loads((model / "model.json").read_text())
    assert card["network"]["name"] == "d-fine-n"
    assert card["nms_free"]
    assert {"mAP/allClasses", "coco/mAP"} <= card["metrics"]["test"].keys()
    assert (model / "report.html").is_file()

    network = build("d-fine-n", card["classes"], SIZE, ".", model).eval()
    assert network.state_dict().keys() == load_file(model / "model.safetensors").keys()
    detector: Any = load_model(model)
    pictures = np.random.default_rng(1).integers(0, 256, (3, 64, 128, 3), dtype=np.uint8)
    with torch.no_grad():
        boxes, scores = Deployed(network)(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    found = detector.compute(list(pictures), "boxes", "scores")
    expected, got = rows(boxes.numpy(), scores.numpy()), rows(*found)
    np.testing.assert_allclose(got[..., 4:], expected[..., 4:], atol=1e-3)
    np.testing.assert_allclose(got[..., :4], expected[..., :4], atol=0.5)


def rows(boxes: Any, scores: Any) -> Any:
    """Boxes and scores side by side, by place: of predictions with equal scores either may come first."""
    joined = np.concatenate((boxes, scores), -1)
    return np.stack([one[np.lexsort(np.round((one[:, :2] + one[:, 2:4]) / 2).T)] for one in joined])


def test_without_the_library_the_extra_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer.detection import run

    monkeypatch.setattr(run, "find_spec", lambda _: None)
    with pytest.raises(ParameterError, match=r"pip install 'corespec\[pretrained\]'"):
        run.train(parse({"model_name": "d-fine-n"}), tmp_path / "absent", tmp_path / "model")
