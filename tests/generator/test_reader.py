"""Reading YAML: positions, YAML 1.2 scalars, and no crash on anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.reader import MAX_BYTES, MAX_NODES, read
from generator.spec.scalars import SourceFloat, SourceInt


def scalar(text: str) -> object:
    """What `key: <text>` reads as."""
    return read("a.yaml", f"key: {text}\n".encode()).data["key"]


@pytest.mark.parametrize(
    "word",
    ["no", "yes", "on", "off", "y", "NO", "0o17", "0x1f", "010", "1_000", "1:30", ".inf", "2026-01-31", "1e"],
)
def test_words_that_yaml_11_would_turn_stay_text(word: str) -> None:
    assert scalar(word) == word
    assert isinstance(scalar(word), str)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("1.10", 1.1),
        ("0", 0),
        ("-12", -12),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
    ],
)
def test_plain_scalars_follow_yaml_12(text: str, value: object) -> None:
    assert scalar(text) == value


def test_numbers_remember_their_spelling() -> None:
    version, count = scalar("1.10"), scalar("+7")
    assert isinstance(version, SourceFloat)
    assert version.text == "1.10"
    assert isinstance(count, SourceInt)
    assert count.text == "+7"


def test_quoted_scalars_are_text() -> None:
    assert scalar("'1'") == "1"
    assert scalar('"true"') == "true"


def test_every_value_and_key_has_its_place() -> None:
    source = read("a.yaml", b"a:\n  - b: 1\n    c: [x, yy]\n")
    assert source.positions.values[("a", 0, "c", 1)] == (3, 12)
    assert source.positions.of_key(("a", 0, "c")) == (3, 5)
    assert source.positions.of(("a", 0, "gone", "deeper")) == (2, 5)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert read("a.yaml", b"\xef\xbb\xbfa: 1\n").data == {"a": 1}


def test_half_a_surrogate_pair_is_refused() -> None:
    """Such text could not be written to any file again."""
    assert [item.code for item in read("a.yaml", b'a: "\\ud800"\n').diagnostics] == ["yaml-syntax"]


def test_more_values_than_any_spec_has_are_refused() -> None:
    source = read("a.yaml", b"a: [" + b"1," * (MAX_NODES + 1) + b"]\n")
    assert [item.code for item in source.diagnostics] == ["too-large"]
    assert [item.code for item in read("a.yaml", b"#" * (MAX_BYTES + 1)).diagnostics] == ["too-large"]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(content: bytes) -> None:
    """Either there is data or there is a finding."""
    source = read("a.yaml", content)
    assert source.data is not None or source.diagnostics


@given(st.text(alphabet="ab:[]{}-&*!<>|'\"# \n\t?,%@`~\\0", max_size=60))
def test_no_indicator_soup_makes_the_reader_raise(text: str) -> None:
    source = read("a.yaml", text.encode())
    assert source.data is not None or source.diagnostics
