"""Prediction from a model folder: the command line, its errors, and that no torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from trainer.__main__ import main
from trainer.detection.export import Deployed, ModelCard, write_model
from trainer.detection.network import CompactDetector, NetworkConfig

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model: with a threshold of 0 it finds something everywhere."""
    folder = tmp_path_factory.mktemp("model")
    config = NetworkConfig(2, stem=8, widths=(8, 8, 8, 8), depths=(1, 1, 1, 1), pyramid=8)
    card = ModelCard(
        classes=("0", "1"), size=(64, 64), network=config.as_dict(), threshold=0.5, class_agnostic=True,
        nms_free=False, digits=True, reading_confidence=0.25,
        parameters={}, fingerprint="f", pictures={}, metrics={}, training={},
    )  # fmt: skip
    network = CompactDetector(config)
    write_model(network, Deployed(network), card, folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "counter.png"
    Image.effect_noise((100, 50), 80).save(path)
    return path


def test_one_line_a_picture(model: Path, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(model), str(picture), str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{picture}\tnothing found\t0.00")


def test_json_has_boxes_in_picture_pixels_in_reading_order(
    model: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model), str(picture), "--threshold", "0", "-o", "json"]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    digits = document["reading"].replace("?", "")
    assert digits == "".join(box["class"] for box in document["boxes"][: len(digits)])
    for box in document["boxes"]:
        x1, y1, x2, y2 = box["box"]
        assert 0 <= x1 <= x2 <= 100
        assert 0 <= y1 <= y2 <= 50


def test_draw_writes_a_picture_with_boxes(model: Path, picture: Path, tmp_path: Path) -> None:
    assert (
        main(["predict", str(model), str(picture), "--threshold", "0", "--draw", str(tmp_path / "out")]) == 0
    )
    with Image.open(tmp_path / "out" / "counter.png") as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 24) or ()}
    assert (230, 60, 40) in colours


@pytest.mark.parametrize("damage", ["absent", "broken", "version", "weights"])
def test_a_folder_that_is_no_model_is_an_input_error(
    model: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    card = (model / "model.json").read_text(encoding="utf-8")
    content = {
        "broken": "{",
        "version": card.replace('"format_version": 1', '"format_version": 99'),
        "weights": card,
    }
    if damage in content:
        (folder / "model.json").write_text(content[damage], encoding="utf-8")
    assert main(["predict", str(folder), str(picture)]) == 2
    assert str(folder) in capsys.readouterr().err


def test_a_file_that_is_no_picture_is_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"junk")
    assert main(["predict", str(model), str(junk)]) == 2
    assert "junk.png" in capsys.readouterr().err


def test_no_torch_is_loaded(model: Path, picture: Path) -> None:
    script = (
        "import sys\nfrom trainer.__main__ import main\n"
        f"assert main(['predict', {str(model)!r}, {str(picture)!r}]) == 0\n"
        "assert not {'torch', 'pytorch_lightning', 'torchvision'} & set(sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
