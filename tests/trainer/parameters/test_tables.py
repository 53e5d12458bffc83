"""Every workflow's table: the CV package's names and defaults, and the rules that hold for all tables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import ParameterError
from trainer.parameters import retrieval, serving
from trainer.parameters.table import ParameterTable
from trainer.workflows import WORKFLOWS

SHARED = {
    "train": "train.txt",
    "validation": "val.txt",
    "test": "test.txt",
    "learning_rate_decay": "True",
    "additional_augmentations": "True",
    "maximum_training_steps": "3000",
    "evaluation_frequency": "0.1",
    "base_learning_rate": "0.00025",
    "seed": "1337",
    "aicore_tracking": "False",
    "image_types": '[".jpg", ".jpeg", ".png"]',
}
PACKAGE: Mapping[str, Mapping[str, str]] = {
    "object-detection-train": {
        **SHARED,
        "model_name": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
        "class_names": "[]",
        "box_mode": "XYXY_ABS",
        "batch_size": "12",
        "early_stopping": "True",
    },
    "image-classification-train": {
        **SHARED,
        "model_name": "ImageClassifier/FPN-Resnet50-no-pooling",
        "test": "val.txt",
        "class_names": "",
        "batch_size": "40",
        "projection_layers": "[]",
    },
    "triplet-distance-learning-train": {
        **SHARED,
        "model_name": "TripletDistanceLearner/FPN-Resnet50",
        "index": "index.txt",
        "sampler": "PKSampler",
        "loss": "MARGIN_LOSS",
        "margin": "0.5",
        "embedding_dimensions": "512",
        "projection_layers": "[]",
        "early_stopping": "False",
        "batch_size": "8",
        "p_classes_per_batch": "8",
        "k_examples_per_class": "8",
        "evaluation_topk": "[1, 3, 5, 10, 30]",
        "freeze_backbone": "False",
        "work_dir_size": "20",
    },
    "batch-processing": {
        "model_file": "",
        "batch_size": "0",
        "image_types": SHARED["image_types"],
        "iou_threshold": "-1.0",
    },
    "model-serving": {
        "models": "/mnt/models/[model]",
        "cpuaffinity": "False",
        "requesttimeout": "1m",
        "loglevel": "3",
        "gpu_deployment": "True",
        "iou_threshold": "-1.0",
    },
}
TRAINING = {"model_name", "base_learning_rate", "aicore_tracking"}
DEVIATIONS = {
    "object-detection-train": TRAINING,
    "image-classification-train": TRAINING | {"class_names"},  # [] instead of an empty text
    "triplet-distance-learning-train": TRAINING,
}
every_table = pytest.mark.parametrize("name", sorted(WORKFLOWS))


def table(name: str) -> ParameterTable[Any]:
    return WORKFLOWS[name].table


@every_table
def test_names_and_defaults_are_those_of_the_cv_package(name: str) -> None:
    """Every deviation is named here and in the module of the workflow; the rest is marked as ours."""
    rows = {row.name: row for row in table(name).rows}
    package = PACKAGE[name]
    assert {row.name for row in rows.values() if row.origin == "sap-cv 1.1.7"} == set(package)
    differing = {parameter for parameter, value in package.items() if rows[parameter].default != value}
    assert differing == DEVIATIONS.get(name, set())


@every_table
def test_values_of_the_cv_package_are_accepted(name: str) -> None:
    """A spec that is moved keeps every value, the names of the old models included."""
    parsed = table(name).parse(PACKAGE[name]).as_dict()
    assert parsed.get("model_name", "compact") == "compact"
    assert parsed.get("class_names", []) == []


@every_table
def test_every_row_parses_its_own_default_and_has_a_field(name: str) -> None:
    """The table and the dataclass cannot drift apart."""
    own = table(name)
    names = [row.name for row in own.rows]
    assert [field.name for field in fields(own.parse({}))] == names
    assert own.parse({row.name: row.default for row in own.rows}) == own.parse({})
    assert json.dumps(own.parse({}).as_dict())


@every_table
@given(data=st.data())
def test_no_text_makes_the_parser_fall(name: str, data: st.DataObject) -> None:
    """Any strings give parameters or a ParameterError."""
    names = st.sampled_from([row.name for row in table(name).rows])
    with contextlib.suppress(ParameterError):
        table(name).parse(data.draw(st.dictionaries(names, st.text(max_size=12))))


@every_table
def test_the_catalogue_has_the_agreed_shape(name: str) -> None:
    """The keys that the conformance test compares with the generator's workflow file."""
    keys = {"name", "type", "default", "minimum", "maximum", "choices", "items", "description", "origin"}
    for row in table(name).catalogue():
        assert set(row) == keys
        assert isinstance(row["default"], str)
        assert (row["items"] is not None) == (row["type"] == "json")
        assert row["description"].endswith(".")


def test_the_environment_gives_only_known_names() -> None:
    """TRAINER_HOME of another program is nobody's parameter."""
    environment = {"TRAINER_SEED": "7", "TRAINER_HOME": "/x", "SEED": "8", "TRAINER_GROUP_PATTERN": ""}
    own = table("object-detection-train")
    assert own.from_environment(environment) == {"seed": "7", "group_pattern": ""}


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("30s", 30), ("500ms", 0.5), ("1h", 3600), ("5", 5), (" 1.5M ", 90)]
)
def test_durations(text: str, seconds: float) -> None:
    assert serving.TABLE.parse({"requesttimeout": text}).requesttimeout == seconds


@pytest.mark.parametrize("text", ["", "0s", "2h", "1d", "-1s", "1.2.3s", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="parameter requesttimeout: "):
        serving.TABLE.parse({"requesttimeout": text})


@pytest.mark.parametrize("text", ["[0]", "[1.5]", "[true]", '["1"]', "1", "[99999]", "[[", "[" * 100_000])
def test_lists_of_whole_numbers_hold_nothing_else(text: str) -> None:
    with pytest.raises(ParameterError, match="expected a JSON list of whole numbers"):
        retrieval.TABLE.parse({"evaluation_topk": text})


def test_lists_of_whole_numbers() -> None:
    parsed = retrieval.TABLE.parse({"evaluation_topk": "[1, 4]", "projection_layers": ""})
    assert (parsed.evaluation_topk, parsed.projection_layers) == ((1, 4), ())
