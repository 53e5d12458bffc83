"""Model folders read with suspicion, and sessions that fit the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trainer.inference.card import ModelError, find_model, read_card
from trainer.inference.models import Settings, load_model
from trainer.inference.session import SharedSession, open_session, usable_cores

Maker = Callable[..., Path]


@pytest.fixture
def model(make_detector: Maker, tmp_path: Path) -> Path:
    return make_detector(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "format_version 2"),
        ({"task": "image-generation"}, "'image-generation', which this version cannot run"),
        ({"task": None}, "cannot run"),
        ({"classes": None}, "lacks task, classes or input"),
        ({"classes": [1, 2]}, "classes must be names"),
        ({"input": {"width": 64}}, "lacks task, classes or input"),
        ({"input": {"width": 64, "height": 0}}, "64x0"),
        ({"input": {"width": 64, "height": 10**9}}, "not possible"),
        ({"input": {"width": "64", "height": 64}}, "not possible"),
        ({"score_threshold": 7}, "score_threshold must be a number from 0 to 1"),
        ({"score_threshold": True}, "score_threshold must be a number from 0 to 1"),
        ({"class_agnostic_nms": "yes"}, "class_agnostic_nms must be true or false"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    model: Path, change: dict[str, Any], words: str
) -> None:
    """With the folder in the message, and never with a traceback of json or numpy."""
    card = json.loads((model / "model.json").read_text(encoding="utf-8"))
    (model / "model.json").write_text(json.dumps(card | change), encoding="utf-8")
    with pytest.raises(ModelError, match=words) as caught:
        load_model(model)
    assert str(model) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"format_version"', "\x00"])
def test_a_description_that_is_no_json_object_is_refused(model: Path, text: str) -> None:
    (model / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="no model folder"):
        read_card(model)


@pytest.mark.parametrize("content", [b"", b"junk", bytes(1000)])
def test_weights_that_are_no_graph_are_refused(model: Path, content: bytes) -> None:
    (model / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(model)


def test_a_model_is_found_at_any_depth_but_not_outside(make_detector: Maker, tmp_path: Path) -> None:
    folder = make_detector(tmp_path / "place" / "a" / "b")
    make_detector(tmp_path / "outside")
    place = tmp_path / "place"
    assert find_model(place) == folder
    assert find_model(place, "a/b") == find_model(place, "a/b/model.onnx") == folder
    with pytest.raises(ModelError, match="outside"):
        find_model(place, "../outside")


def test_threads_can_be_pinned(model: Path) -> None:
    """The parameter cpuaffinity: the session still computes."""
    assert load_model(model, Settings(pin=True, gpu=True)).card.task == "object-detection"
    assert open_session(model, pin=True).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 99), ("", 99)]
)
def test_the_quota_of_a_container_counts(tmp_path: Path, text: str, cores: int) -> None:
    """A pod with one core on a host of sixty-four computes on one thread."""
    limit = tmp_path / "cpu.max"
    limit.write_text(text, encoding="ascii")
    assert usable_cores(limit) == min(cores, len(os.sched_getaffinity(0)))
    assert usable_cores(tmp_path / "absent") == len(os.sched_getaffinity(0))


class Recorder:
    """Stands for a session: says its name, and does something while it runs."""

    def __init__(self, name: str, meanwhile: Callable[[], Any] = lambda: None) -> None:
        self.name, self.meanwhile = name, meanwhile

    def run(self, outputs: Any, inputs: Any) -> list[Any]:
        return [self.name, self.meanwhile()]


def test_who_computes_alone_has_all_cores_and_who_does_not_has_one(model: Path) -> None:
    """A run that begins within another is not alone; when both are over the next one is."""
    shared = SharedSession(model)
    assert [output.name for output in shared.get_outputs()] == ["boxes", "scores"]
    shared._narrow = Recorder("one core")
    shared._wide = Recorder("all cores", lambda: shared.run([], {}))
    for _ in range(2):
        assert shared.run([], {}) == ["all cores", ["one core", None]]


def test_a_run_that_falls_is_over(model: Path) -> None:
    shared = SharedSession(model)
    shared._wide = Recorder("all cores", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        shared.run([], {})
    shared._wide = Recorder("all cores")
    assert shared.run([], {})[0] == "all cores"


def test_threads_that_share_a_model_get_the_answers_of_one_alone(model: Path) -> None:
    detector = load_model(model, Settings(shared=True))
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue", "black")] * 8
    alone = load_model(model)

    def ask(one: Any, picture: Image.Image) -> Any:
        return next(iter(one.infer([one.prepare(picture)], [picture.size]))).as_answer()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: ask(detector, picture), pictures))
    assert found == [ask(alone, picture) for picture in pictures]
