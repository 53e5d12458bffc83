"""Model folders read with suspicion, and sessions that fit the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer.inference.card import ModelError, find_model, read_card
from trainer.inference.models import Settings, load_model
from trainer.inference.session import open_session, usable_cores

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
