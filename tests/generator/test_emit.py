"""The YAML we write reads back as what was written, under every reader."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.emit import emit, quote, scalar
from generator.spec.reader import read

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text(
    "aB1.:-_/ #'\"{}[],&*!|>%@`~?=\\\n\t", max_size=20
)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
scalars = text | numbers | st.booleans() | st.none()
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(text.filter(lambda key: key != "<<"), trees, min_size=1, max_size=5)


@given(documents)
def test_documents_survive_every_yaml_reader(document: dict[str, Any]) -> None:
    written = emit(document)
    assert yaml.safe_load(written) == document
    assert yaml.load(written, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) == document


@given(scalars | trees)
def test_any_json_value_survives_not_only_a_mapping(value: Any) -> None:
    """Alone, as an item and as a value: the same value, and of the same type."""
    for whole in (value, [value], {"key": value}, {"outer": {"inner": [[value]]}}):
        read_back = yaml.safe_load(emit(whole))
        assert read_back == whole
        assert repr(read_back) == repr(whole)


@given(documents)
def test_documents_survive_yaml_12_as_others_read_it(document: dict[str, Any]) -> None:
    """An independent reader of YAML 1.2 finds the same data."""
    ruamel = pytest.importorskip("ruamel.yaml", reason="pip install ruamel.yaml")
    reader = ruamel.YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    assert reader.load(emit(document)) == document


@pytest.mark.parametrize(
    ("number", "written"), [(1e-05, "1.0e-05"), (1e16, "1.0e+16"), (0.5, "0.5"), (10**20, str(10**20))]
)
def test_numbers_are_numbers_for_every_reader(number: float, written: str) -> None:
    """YAML 1.1 wants a point before an exponent; JSON writes none."""
    assert scalar(number) == written
    assert yaml.safe_load(written) == number


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_has_no_number_for_is_refused(number: float) -> None:
    """Readers disagree about them."""
    with pytest.raises(ValueError, match="JSON"):
        emit({"a": number})


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), text, min_size=1, max_size=3))
def test_text_survives_yaml_12_as_well(document: dict[str, str]) -> None:
    """Our own reader follows YAML 1.2: what one version would turn into a number is quoted for both."""
    assert read("a.yaml", emit(document).encode()).data == document


@pytest.mark.parametrize(
    "word",
    [
        "no",
        "Yes",
        "null",
        "1",
        "1e3",
        "0x1f",
        "1:30",
        "-",
        "2026-01-31",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "~",
        ".5",
    ],
)
def test_text_that_looks_like_something_else_is_quoted(word: str) -> None:
    assert scalar(word).startswith('"')


@pytest.mark.parametrize(
    "word",
    ["train.l", "docker.io/acme/digits:0.0.1", "ai.sap.com/version", 'Loss, per step; it\'s (about) "mAP".'],
)
def test_plain_words_stand_bare(word: str) -> None:
    assert scalar(word) == word


def test_text_with_quotes_is_readable() -> None:
    assert scalar('["0"]') == "'[\"0\"]'"
    assert scalar("'\"") == "'''\"'"


@given(text)
def test_quoted_text_is_printable_and_one_line(value: str) -> None:
    assert quote(value).isprintable()
    assert yaml.safe_load(quote(value)) == value


def test_block_style_is_what_people_write() -> None:
    document = {
        "steps": [[{"name": "a", "with": {"b": 1}}]],
        "empty": {},
        "none": [],
        "short": ["/bin/sh", "-c"],
    }
    assert emit(document) == (
        'steps:\n  - - name: a\n      with:\n        b: 1\nempty: {}\nnone: []\nshort: ["/bin/sh", "-c"]\n'
    )
