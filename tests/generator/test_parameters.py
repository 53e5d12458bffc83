"""One value, one string: whatever a spec spells, equal values give equal strings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.parameters import Parameter, UnfitValueError, canonical
from generator.spec.reader import plain_scalar


def parameter(kind: str, **fields: Any) -> Parameter:
    values = {"name": "p", "type": kind, "default": "", "description": "d", "origin": "corespec", **fields}
    return Parameter.model_validate(values)


@pytest.mark.parametrize(
    ("kind", "spellings", "text"),
    [
        ("number", ["0.001", "1e-3", "1.0e-3", "0.00100", ".001"], "0.001"),
        ("number", ["1", "1.0", "1e0", "+1"], "1"),
        ("number", ["-0", "0", "0.0"], "0"),
        ("number", ["1e-5", "0.00001"], "1e-05"),
        ("integer", ["3000", "3e3", "3000.0"], "3000"),
        ("boolean", ["true", "yes", "on", "True", "TRUE"], "True"),
        ("boolean", ["false", "no", "Off"], "False"),
        ("split", ["0.8", "8e-1", "0.80"], "0.8"),
        ("split", ["train.txt"], "train.txt"),
    ],
)
def test_spellings_of_one_value_are_one_string(kind: str, spellings: list[str], text: str) -> None:
    """Both as YAML reads them and as quoted text."""
    declared = parameter(kind)
    assert {canonical(declared, plain_scalar(spelling)) for spelling in spellings} == {text}
    assert {canonical(declared, spelling) for spelling in spellings} == {text}


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("integer", 1.5, "wrong-type"),
        ("integer", "010", "wrong-type"),
        ("integer", True, "wrong-type"),
        ("integer", float("inf"), "wrong-type"),
        ("number", "nan", "wrong-type"),
        ("number", [1], "wrong-type"),
        ("boolean", 1, "wrong-type"),
        ("string", True, "wrong-type"),
        ("string", "{{workflow.uid}}", "template-expression"),
        ("string", "x" * 5001, "too-long"),
        ("json", "not json", "wrong-type"),
        ("json", '{"a": 1}', "wrong-type"),
        ("json", "[NaN]", "wrong-type"),
        ("split", 0, "out-of-range"),
        ("split", 1.01, "out-of-range"),
        ("split", "/etc", "wrong-type"),
        ("split", "../other", "wrong-type"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_code(kind: str, value: object, code: str) -> None:
    with pytest.raises(UnfitValueError) as caught:
        canonical(parameter(kind), value)
    assert caught.value.code == code


def test_ranges_and_choices_are_checked() -> None:
    with pytest.raises(UnfitValueError, match="at least 1 and at most 5"):
        canonical(parameter("integer", minimum=1, maximum=5), 6)
    with pytest.raises(UnfitValueError, match="did you mean `bf16`"):
        canonical(parameter("string", choices=("auto", "bf16")), "bf1")
    assert canonical(parameter("string", choices=("auto", "true")), True) == "true"
    assert canonical(parameter("string", choices=("32",)), plain_scalar("32")) == "32"


def test_lists_become_json_and_keep_words_as_words() -> None:
    """`[no, 0, 1.10]` as class names are three words."""
    names = [plain_scalar(word) for word in ("no", "0", "1.10")]
    assert canonical(parameter("json", items="string"), names) == '["no","0","1.10"]'
    assert (
        canonical(parameter("json"), [plain_scalar("1"), plain_scalar("0.5"), True, None])
        == "[1,0.5,true,null]"
    )
    assert canonical(parameter("json"), '[ "a" ,"ü"]') == '["a","ü"]'


def test_text_parameters_keep_the_spelling_of_numbers() -> None:
    assert canonical(parameter("string"), plain_scalar("1.10")) == "1.10"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_their_string(value: float) -> None:
    text = canonical(parameter("number"), value)
    assert float(text) == value
    assert canonical(parameter("number"), text) == text


@given(st.lists(st.text(st.characters(exclude_characters="{"), max_size=5), max_size=5))
def test_lists_survive_their_string(value: list[str]) -> None:
    assert json.loads(canonical(parameter("json"), value)) == value
