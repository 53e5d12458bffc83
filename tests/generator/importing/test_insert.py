"""Entries are added to a person's file as lines: every comment stays where it was, or nothing is done."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.importing.insert import add_entries, add_line

SPEC = """\
# A project of ours
apiVersion: corespec/v1   # do not touch

executables:   # ours
  # the first
  first:
    workflow: a   # the usual
# the end
"""
ENTRY = {"workflow": "b", "title": "Second: one"}


def test_an_entry_is_inserted_before_the_comment_of_the_first() -> None:
    assert add_entries(SPEC, {"executables": {"second": ENTRY}}) == SPEC.replace(
        "  # the first\n", "  second:\n    workflow: b\n    title: 'Second: one'\n  # the first\n"
    ).replace("'Second: one'", '"Second: one"')


def test_a_section_that_is_not_there_is_put_at_the_end() -> None:
    text = add_entries(SPEC, {"datasets": {"pictures": {"source": "data"}}, "configurations": {}})
    assert text == SPEC + "\ndatasets:\n  pictures:\n    source: data\n"


def test_the_indent_and_line_ends_of_the_file_are_kept() -> None:
    text = "executables:\r\n    first: {a: 1}\r\n"
    expected = "executables:\r\n    second:\r\n      a: 2\r\n    first: {a: 1}\r\n"
    assert add_entries(text, {"executables": {"second": {"a": 2}}}) == expected


def test_a_file_without_a_last_line_feed_gets_one() -> None:
    assert add_entries("a: 1", {"b": {"c": {"d": 1}}}) == "a: 1\n\nb:\n  c:\n    d: 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "executables: {first: {a: 1}}\n",
        "executables:\n  {first: {a: 1}}\n",
        "executables: {\n  first: {a: 1},\n}\n",
        "{executables: {first: {a: 1}}}\n",
        "executables:\n  first: {a: 1}\n...\n",
        "executables:\n  second: {a: 1}\n",
        "? executables\n: first: {a: 1}\n",
        "- a\n",
        "a: [\n",
        "",
    ],
)
def test_what_cannot_take_lines_is_left_alone(text: str) -> None:
    """Braces, ended documents, names that are taken, and what is no mapping."""
    result = add_entries(text, {"executables": {"second": {"a": 2}}, "datasets": {"d": {"e": 1}}})
    assert result is None


def test_a_key_is_added_once() -> None:
    assert add_line("a: 1\n", "catalog", ["catalog"]) == 'a: 1\ncatalog: ["catalog"]\n'
    assert add_line("catalog: []\n", "catalog", ["catalog"]) is None
    assert add_line("a: 1\n...\n", "catalog", ["catalog"]) is None


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
entries = st.dictionaries(
    names, st.dictionaries(names, st.text() | st.integers() | st.booleans(), min_size=1)
)


@given(
    there=st.dictionaries(names, entries, min_size=1, max_size=3),
    added=entries,
    style=st.sampled_from([False, None]),
    indent=st.integers(2, 6),
)
def test_whatever_is_there_stays_as_it_is(
    there: dict[str, object], added: dict[str, object], style: bool | None, indent: int
) -> None:
    """Every old line is in the new file, in its order; the data is what was there and what was added."""
    text = yaml.safe_dump(there, default_flow_style=style, indent=indent, allow_unicode=True)
    section = next(iter(there))
    result = add_entries(text, {section: added})
    if result is not None:
        lines = iter(result.splitlines())
        assert all(line in lines for line in text.splitlines())
        old = yaml.safe_load(text)
        assert yaml.safe_load(result)[section].keys() == {*(old[section] or {}), *added}
