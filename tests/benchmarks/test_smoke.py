"""Each program runs to its figures in a small size; a missing peer is skipped with its reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plan, render, serve, train
from benchmarks.report import PeerMissingError

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]

needs_kubectl = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="install kubectl: https://kubernetes.io/docs/tasks/tools/"
)
needs_terraform = pytest.mark.skipif(
    not shutil.which("terraform"),
    reason="install terraform: https://developer.hashicorp.com/terraform/install",
)
needs_server = pytest.mark.skipif(not find_spec("fastapi"), reason="pip install 'corespec[local]'")
needs_transformers = pytest.mark.skipif(
    not (find_spec("transformers") and find_spec("scipy")), reason="pip install 'corespec[pretrained]'"
)
needs_torch = pytest.mark.skipif(not find_spec("torchvision"), reason="pip install 'corespec[train]'")


def run(program: Any, *arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run a benchmark in this process and return its JSON."""
    assert program.main([*arguments, "-o", "json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@needs_kubectl
def test_render_counts_the_same_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """All contenders write every executable with the same content, and there is a ratio for each peer."""
    document = run(render, "--count", "5", "--repeats", "1", capsys=capsys)
    written = {row["name"]: row["figures"].get("documents") for row in document["rows"]}
    assert written == {
        "corespec": 5,
        "  of it render()": 5,
        "kubectl kustomize": 5,
        "hera to_yaml": 5,
        "render --check, cold": None,
        "render --check, warm": None,
    }
    assert document["ratios"].keys() == {"kubectl kustomize / corespec", "hera to_yaml / corespec"}
    assert all(ratio > 0 for ratio in document["ratios"].values())


def test_render_measures_growth(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each size, seconds for each 1,000 executables, and how the last compares to the first."""
    document = run(render, "--scale", "2", "4", "--repeats", "1", capsys=capsys)
    assert [row["figures"]["documents"] for row in document["rows"]] == [2, 4]
    for row in document["rows"]:
        figures = row["figures"]
        per_thousand = 1000 * figures["CPU seconds"] / figures["documents"]
        assert figures["CPU seconds per 1,000"] == pytest.approx(per_thousand)
    assert document["ratios"]["CPU seconds per 1,000: last / first"] > 0


def test_render_without_its_peer_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own figures come all the same."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    document = run(render, "--count", "2", "--repeats", "1", capsys=capsys)
    assert "corespec" in [row["name"] for row in document["rows"]]
    assert "kubectl is not on PATH" in document["skipped"]["kubectl kustomize"]


@needs_server
@needs_terraform
def test_plan_finds_nothing_to_do_on_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    """A local AI Core with completed executions and Terraform's state are both converged."""
    document = run(plan, "--count", "3", "--repeats", "1", capsys=capsys)
    rows = {row["name"]: row["figures"] for row in document["rows"]}
    assert list(rows) == ["corespec plan, 3", "  one line edited, 3", "terraform plan, 3"]
    assert document["ratios"]["terraform / corespec, 3"] > 0
    assert all(figures["MB"] > 10 and figures["CPU seconds"] > 0 for figures in rows.values())


@needs_server
def test_plan_measures_growth_without_its_peer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own figures come all the same; more objects of one page, or an edit, cost no request more."""
    monkeypatch.setattr("benchmarks.peers.terraform.shutil.which", lambda _: None)
    document = run(plan, "--scale", "2", "4", "6", "--repeats", "1", capsys=capsys)
    assert document["skipped"].keys() == {f"terraform plan, {count}" for count in (2, 4, 6)}
    assert len({row["figures"]["requests"] for row in document["rows"]}) == 1
    assert "CPU seconds for an object more: last / first" in document["ratios"]


@needs_torch
@pytest.mark.training
@pytest.mark.parametrize(
    "peer",
    [
        "ssdlite320_mobilenet_v3_large",
        "fcos_resnet18_fpn",
        pytest.param("d-fine-n", marks=needs_transformers),
    ],
)
def test_train_judges_a_peer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    """It takes a step or two on drawn counters, predicts, and is judged, for every length asked for."""
    monkeypatch.syspath_prepend(ROOT)
    folder = tmp_path / "digits"
    subprocess.run(
        [sys.executable, "-m", "trainer", "draw-counters", str(folder), "--count", "10"], check=True, cwd=ROOT
    )
    size = [
        "--minutes",
        "0.001",
        "0.002",
        "--batch",
        "2",
        "--threads",
        "1",
        "--train",
        "0.5",
        "--validation",
        "0.2",
    ]
    document = run(train, "--data", str(folder), "--peers", peer, *size, capsys=capsys)
    assert document["skipped"] == {}
    assert [row["name"] for row in document["rows"]] == [peer, peer]
    for row in document["rows"]:
        assert row["figures"]["images/s"] > 0
        assert 0 <= row["figures"]["mAP"] <= row["figures"]["mAP50"] <= 1


def test_train_refuses_a_peer_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names what there is."""
    with pytest.raises(SystemExit):
        train.main(["--data", "x", "--peers", "nobody"])
    assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize("program", [render, plan, train, serve])
def test_help_explains_the_ratio(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure that needs its source read is worth nothing."""
    with pytest.raises(SystemExit):
        program.main(["--help"])
    assert "above 1" in capsys.readouterr().out


def painter(folder: Path) -> Path:
    """A model folder that takes no training: it finds a box wherever it is red enough."""
    onnx = pytest.importorskip("onnx", reason="pip install 'corespec[train]'")
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=types.FLOAT),
        helper.make_node("ReduceMean", ["floats", "plane"], ["means"], keepdims=0),
        helper.make_node("Unsqueeze", ["means", "one"], ["rows"]),
        helper.make_node("Mul", ["rows", "scale"], ["scores"]),
        helper.make_node("ReduceMean", ["rows", "last"], ["grey"], keepdims=1),
        helper.make_node("Mul", ["grey", "places"], ["boxes"]),
    ]
    constants = [
        helper.make_tensor("plane", types.INT64, [2], [2, 3]),
        helper.make_tensor("one", types.INT64, [1], [1]),
        helper.make_tensor("last", types.INT64, [1], [2]),
        helper.make_tensor("scale", types.FLOAT, [1], [1 / 255]),
        helper.make_tensor("places", types.FLOAT, [1, 1, 4], [0, 0, 0.1, 0.1]),
    ]
    graph = helper.make_graph(
        nodes,
        "painter",
        [helper.make_tensor_value_info("pictures", types.UINT8, ["batch", 3, 64, 64])],
        [
            helper.make_tensor_value_info(name, types.FLOAT, ["batch", 1, n])
            for name, n in (("boxes", 4), ("scores", 3))
        ],
        constants,
    )
    folder.mkdir()
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10),
        folder / "model.onnx",
    )
    card = {
        "format_version": 1,
        "task": "object-detection",
        "classes": ["0", "1", "2"],
        "score_threshold": 0.1,
    }
    card |= {"input": {"width": 64, "height": 64}, "class_agnostic_nms": True, "digits": True}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@needs_server
@needs_torch
def test_serve_asks_both_sides_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours and a peer answer one and two clients; memory is looked at after few and after many requests."""
    monkeypatch.syspath_prepend(ROOT)
    folder = tmp_path / "digits"
    draw = [sys.executable, "-m", "trainer", "draw-counters", str(folder), "--count", "10"]
    subprocess.run(draw, check=True, cwd=ROOT)
    peer = "ssdlite320_mobilenet_v3_large"
    size = ["--seconds", "0.3", "--rounds", "1", "--threads", "1"]
    size += ["--clients", "1", "2", "--memory", "60", "70"]
    document = run(
        serve, "--data", str(folder), "--model", str(painter(tmp_path / "model")), "--peers", peer, *size,
        capsys=capsys,
    )  # fmt: skip
    assert document["skipped"] == {}
    memory, *rows = document["rows"]
    assert [row["name"] for row in rows] == [
        f"{name}, {clients} clients" for clients in (1, 2) for name in ("corespec", peer)
    ]
    for row in rows:
        assert row["figures"]["pictures/s"] > 0
        assert 0 < row["figures"]["p50 ms"] <= row["figures"]["p99 ms"]
        assert row["figures"]["CPU ms"] > 0
    assert document["ratios"][f"pictures/s, 2 clients: corespec / {peer}"] > 0
    assert memory["figures"]["MB after 70"] > 10


def test_serve_says_why_a_peer_is_missing(tmp_path: Path) -> None:
    """What it printed before it died."""
    bodies = tmp_path / "bodies"
    bodies.write_text("{}")
    command = [sys.executable, "-c", "import sys; sys.exit('no such library')"]
    with (
        pytest.raises(PeerMissingError, match="no such library"),
        serve.started("peer", command, "/", bodies),
    ):
        pass
