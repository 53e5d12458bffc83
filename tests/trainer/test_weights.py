"""Weights come as safetensors or ONNX: nothing in a model folder or a dataset is ever unpickled."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.inference.card import ModelError
from trainer.inference.models import load_model

PACKAGES = ("trainer", "localcore", "reconciler", "generator", "console", "corespec")
ROOT = Path(__file__).parents[2]
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def as_torch_file(content: bytes, path: Path) -> None:
    """A checkpoint as torch writes it: a zip with the pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")


@pytest.fixture
def payload(tmp_path: Path) -> tuple[bytes, Path]:
    """A pickle, and the mark it leaves; that it does so is tried out first."""
    mark = tmp_path / "unpickled"
    content = pickle.dumps(Payload(mark))
    pickle.loads(content)
    mark.rmdir()
    return content, mark


@pytest.mark.parametrize("form", ["raw", "torch"])
@pytest.mark.parametrize("name", ["model_best.pth", "model.pt", "last.ckpt", "weights.pkl"])
def test_a_folder_with_a_pickle_is_no_model(
    name: str, form: str, payload: tuple[bytes, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the CV package wrote: exit code 2 and a reason, from serving and from batch processing."""
    content, mark = payload
    folder = tmp_path / "model"
    folder.mkdir()
    as_torch_file(content, folder / name) if form == "torch" else (folder / name).write_bytes(content)
    assert main(["model-serving", "--models", str(folder), "--port", "0"]) == 2
    (tmp_path / "pictures").mkdir()
    batch = [
        "--datain",
        str(tmp_path / "pictures"),
        "--modelin",
        str(folder),
        "--results",
        str(tmp_path / "out"),
    ]
    assert main(["batch-processing", *batch]) == 2
    assert "holds no model" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize("form", ["raw", "torch"])
@pytest.mark.parametrize("name", ["model.onnx", "index.npz"])
def test_a_pickle_under_the_name_of_something_else_is_refused(
    name: str, form: str, payload: tuple[bytes, Path], colour_embedder: Path, tmp_path: Path
) -> None:
    """Weights and index alike, before anything in it runs."""
    content, mark = payload
    folder = tmp_path / "model"
    shutil.copytree(colour_embedder, folder)
    as_torch_file(content, folder / name) if form == "torch" else (folder / name).write_bytes(content)
    with pytest.raises(ModelError):
        load_model(folder)
    assert not mark.exists()


def test_weights_outside_the_folder_are_not_read(make_detector: Callable[..., Path], tmp_path: Path) -> None:
    """A graph may name files for its weights: those of others are none of them."""
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'corespec[train]'")
    folder = make_detector(tmp_path / "model")
    model = onnx.load(folder / "model.onnx")
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    (constant,) = (one for one in model.graph.initializer if one.name == "scale")
    constant.ClearField("float_data")
    constant.raw_data = bytes(4)
    onnx.external_data_helper.set_external_data(constant, "../secret.bin", 0, 4)
    constant.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder)


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in our code: where it stands, what is called, and how."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), node


def flag(call: ast.Call, name: str) -> object:
    """A keyword's constant; None where it is not given, or computed."""
    values = [word.value for word in call.keywords if word.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def test_torch_loads_weights_only_and_numpy_no_pickles() -> None:
    """Checkpoints for resuming included, which Lightning reads as well: each call says so itself."""
    wanted = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
    found = [(place, name, flag(call, wanted[name][0])) for place, name, call in calls() if name in wanted]
    assert {name for _, name, _ in found} == set(wanted)
    assert [one for one in found if one[2] is not wanted[one[1]][1]] == []
    resumed = [(place, flag(call, "weights_only")) for place, _, call in calls() if any(
        word.arg == "ckpt_path" for word in call.keywords
    )]  # fmt: skip
    assert resumed
    assert [place for place, safe in resumed if safe is not True] == []
    others = ("load_from_checkpoint", "torch.hub.load", "torch.jit.load", "numpy.load", "yaml.unsafe_load")
    assert [place for place, name, _ in calls() if name.endswith(others)] == []


def test_nothing_of_ours_imports_an_unpickler() -> None:
    """An exception that is caught by its name is no use of one: there is none either."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [f"{path}: {name}" for name in names if name.split(".")[0] in UNPICKLERS]
    assert found == []


def test_the_description_is_json_and_nothing_else(make_detector: Callable[..., Path], tmp_path: Path) -> None:
    """YAML with a tag that calls is not even YAML here."""
    folder = make_detector(tmp_path / "model")
    told = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(f"!!python/object/apply:os.getcwd []\n# {told}", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(folder)
