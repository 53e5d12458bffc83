"""Parameters arrive as strings and are typed and range-checked once, with every problem in one error."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import ParameterError
from trainer.parameters.detection import TABLE, parse

NAMES = [row.name for row in TABLE.rows]


def test_the_old_model_name_trains_ours() -> None:
    """A spec moved from the CV package keeps its value."""
    assert parse({"model_name": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml"}).model_name == "compact"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"batchsize": "3"}, "parameter batchsize: unknown, did you mean batch_size?"),
        ({"batch_size": "many"}, "expected a number"),
        ({"batch_size": "1.5"}, "expected a whole number"),
        ({"batch_size": "0"}, "must be at least 1"),
        ({"batch_size": "9" * 5000}, "expected a finite number"),
        ({"seed": "-1"}, "must be at least 0"),
        ({"base_learning_rate": "nan"}, "expected a finite number"),
        ({"base_learning_rate": "7"}, "must be at most 1"),
        ({"early_stopping": "perhaps"}, "expected true or false"),
        ({"precision": "16"}, "must be one of auto, 32, bf16"),
        ({"class_names": "a, b"}, "expected a JSON list of strings"),
        ({"class_names": "[1]"}, "expected a JSON list of non-empty strings"),
        ({"class_names": '["a", "a"]'}, "twice"),
        ({"train": ""}, "a training needs pictures"),
        ({"train": "0"}, "a training needs pictures"),
        ({"train": "1.5"}, "a share lies between 0 and 1"),
        ({"train": "-0.1"}, "a share lies between 0 and 1"),
        ({"test": "nan"}, "a share lies between 0 and 1"),
        ({"train": "0.9", "test": "0.2"}, "the shares add up to 1.1"),
        ({"input_width": "16"}, "must be 0 or at least 32"),
        ({"image_types": "[]"}, "name at least one suffix"),
        ({"group_pattern": "("}, "no regular expression"),
    ],
)
def test_a_bad_value_names_parameter_rule_and_value(values: Mapping[str, str], words: str) -> None:
    """One line, one remedy."""
    with pytest.raises(ParameterError) as caught:
        parse(values)
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1


def test_all_problems_come_at_once() -> None:
    """Nobody mends a spec one error at a time."""
    with pytest.raises(ParameterError) as caught:
        parse({"nonsense": "1", "seed": "x", "box_mode": "XYWH", "train": "0.9", "test": "0.9"})
    assert len(caught.value.problems) == 4


def test_values_as_yaml_tools_print_them() -> None:
    """True, 12.0 and TRUE come from booleans and numbers that went through other hands."""
    parsed = parse(
        {"horizontal_flip": "True", "batch_size": "12.0", "early_stopping": "FALSE", "image_types": '["JPG"]'}
    )
    assert (parsed.horizontal_flip, parsed.batch_size, parsed.early_stopping) == ("true", 12, False)
    assert parsed.image_types == (".jpg",)


def test_splits_are_shares_names_or_off() -> None:
    """0.1 is a share, 2022 a folder would be out of range, \"\" and 0 switch off."""
    parsed = parse({"train": "0.8", "validation": " val ", "test": ""})
    assert (parsed.train, parsed.validation, parsed.test) == (Fraction(4, 5), "val", None)
    assert parse({"validation": "0.0"}).validation is None
    assert parse({"validation": "1e-999999999"}).validation is None


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12)))
def test_no_text_makes_the_parser_fall(values: dict[str, str]) -> None:
    """Any strings give parameters or a ParameterError."""
    with contextlib.suppress(ParameterError):
        assert parse(values).batch_size >= 1
