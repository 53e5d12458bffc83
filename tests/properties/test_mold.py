"""A mold gives what reading in full would give: for every kind of place that a word can stand in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import mold
from generator.templating import chunks, literal

#: Lines of a mapping; every `<<>>` is a word. Some give a mold, some must not.
PLACES = (
    "a: <<>>\n",
    "<<>>: b\n",
    "<<>>: <<>>\n",
    "c: [<<>>, <<>>, 1]\n",
    "d: {<<>>: <<>>, e: true}\n",
    "f:\n  - <<>>\n  - g: <<>>\n    h: null\n",
    "i: <<>>  # <<>>\n",
    "# <<>>\nj: 1.5\n",
    "k: bare <<>> word\n",
    "l: '<<>>'\n",
    "m: |\n  block <<>>\n  <<>>: n\n",
    "o: >\n  folded <<>>\n",
    "p: &anchor <<>>\nq: *anchor\n",
    "r: !!int <<>>\n",
    "s: !!str <<>>\n",
    "? <<>>\n: t\n",
    "u: <<>> v\n",
    "w: ⁜0⁜\n",
    "x: 2026-01-31\n",
    "y: [<<>>: <<>>]\n",
)
words = st.text(max_size=12) | st.text("a: #'\"{}[],&*!|>%@`\\\n\t⁜01-~<=", max_size=12)
long_words = st.builds(lambda text, times: text * times, words, st.integers(1, 200))


def filled(places: list[str], values: list[str]) -> list[str]:
    """Chunks as `templating.chunks` gives them."""
    pieces: list[str] = []
    rest = iter(values)
    for at, text in enumerate("".join(places).split("<<>>")):
        pieces += [literal(next(rest, ""))] if at else []
        pieces += [text]
    return pieces


def outcome(function: Any, *arguments: Any) -> Any:
    """The result, or the class of the error."""
    try:
        return function(*arguments)
    except yaml.YAMLError as error:
        return type(error)


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(PLACES), min_size=1, max_size=4),
    st.lists(words | long_words, max_size=12),
    st.lists(words | long_words, max_size=12),
)
def test_a_mold_gives_what_reading_gives(places: list[str], first: list[str], second: list[str]) -> None:
    """Twice: for the filling that made the mold, and for another one in the same mold."""
    for values in (first, second, first):
        pieces = filled(places, values)
        assert outcome(mold.load, pieces) == outcome(mold.read, "".join(pieces))


def test_the_data_is_the_callers_own() -> None:
    """Changing one result changes no other."""
    pieces = filled(["a: [<<>>]\nb: {c: [1]}\n"], ["x"])
    first = mold.load(pieces)
    first["b"]["c"].append(2)
    first["a"].clear()
    assert mold.load(pieces) == {"a": ["x"], "b": {"c": [1]}}


def test_words_come_out_as_plain_text() -> None:
    """Nothing that is special to filling leaves it: libraries may look at the exact type."""
    pieces = chunks("a: << one >>\n<< one >>: [<< two >>]\n", {"one": "x", "two": "y"})
    document = mold.load(pieces)
    assert document == {"a": "x", "x": ["y"]}
    assert {type(item) for item in (*document, document["a"], *document["x"])} == {str}


@pytest.mark.parametrize("text", ["a: [<< one >>\n", "a: << one >> b\n", "<< one >>\nb: c\n"])
def test_a_text_that_is_no_yaml_is_an_error(text: str) -> None:
    """The error is that of reading the text itself, with its own words and lines."""
    pieces = chunks(text, {"one": "x"})
    with pytest.raises(yaml.YAMLError) as caught:
        mold.load(pieces)
    assert "⁜" not in str(caught.value)
