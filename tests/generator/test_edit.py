"""Adding to a spec: what a person wrote stays, to the byte; what is added is what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.edit import add_to_spec, respelled
from generator.errors import InputError
from generator.spec.reader import read

SPEC = """\
# yaml-language-server: $schema=schema.json
apiVersion: corespec/v1
kind: Scenario
metadata: {name: meters,   title: 'Meters'}   # short

configurations:   # what runs
  # the first of them
  base:
    executable: "digits"
    parameters: {rate: 1e-3, words: [no, "yes"]}

  # about the next section

# ---- runs ----
executions:
  base: {configuration: base}   # the end
"""
ENTRY = {"executable": "digits", "adopt": {"id": "0123", "content": "012345678901"}, "observe": True}


def test_not_a_line_moves() -> None:
    """Comments, blanks, quoting and order stay; the entry stands at the end of its section."""
    after = add_to_spec("s.yaml", SPEC, {"configurations": {"old": ENTRY}})
    assert respelled(SPEC, after) == 0
    assert after.index("  # about the next") < after.index("  old:") < after.index("# ---- runs")
    assert '    adopt: {id: "0123", content: "012345678901"}\n' in after


def test_sections_that_are_absent_empty_or_in_braces() -> None:
    """Appended with a blank line; filled; and, in braces, written anew with everything that it held."""
    added = add_to_spec("s.yaml", SPEC, {"artifacts": {"a": {"kind": "model", "id": "a-b-c"}}})
    assert added == SPEC + "\nartifacts:\n  a:\n    kind: model\n    id: a-b-c\n"
    empty = SPEC + "deployments:\n"
    assert "deployments:\n  x:\n" in add_to_spec("s.yaml", empty, {"deployments": {"x": ENTRY}})
    braces = SPEC + "datasets: {a: {source: b, path: c}}   # mine\n"
    after = add_to_spec("s.yaml", braces, {"datasets": {"x": {"source": "y", "path": "z"}}})
    assert read("s.yaml", after.encode()).data["datasets"].keys() == {"a", "x"}


@pytest.mark.parametrize("indent", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_files_own_indentation_and_line_ends(indent: int, ending: str) -> None:
    text = SPEC.replace("    ", " " * 2 * indent).replace("\n  ", "\n" + " " * indent).replace("\n", ending)
    after = add_to_spec("s.yaml", text, {"configurations": {"old": ENTRY}})
    assert respelled(text, after) == 0
    assert f"{ending}{' ' * indent}old:{ending}" in after
    assert after.count("\n") == after.count(ending)


def test_a_last_line_without_an_end() -> None:
    assert add_to_spec(
        "s.yaml", SPEC.rstrip("\n"), {"executions": {"old": {"configuration": "old"}}}
    ).endswith("# the end\n  old:\n    configuration: old\n")


def test_a_value_is_set_where_it_was_missing() -> None:
    text = add_to_spec("s.yaml", SPEC, {"configurations": {"old": {"adopt": {"id": "abcd"}}}})
    where = ("configurations", "old", "adopt", "content")
    after = add_to_spec("s.yaml", text, {}, {where: "123456789012"})
    assert 'adopt: {id: abcd, content: "123456789012"}' in after
    assert "# ---- runs ----" in after


@pytest.mark.parametrize("text", ["- a list\n", "", "a: [1\n", "a: &x 1\nb: *x\n", "a: 1\na: 2\n"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    """One error that names the file, and no crash of a library."""
    with pytest.raises(InputError) as raised:
        add_to_spec("s.yaml", text, {"configurations": {"old": ENTRY}})
    assert {item.path for item in raised.value.diagnostics} == {"s.yaml"}


values = st.text(min_size=0, max_size=30) | st.sampled_from(
    [
        "yes",
        "no",
        "~",
        "null",
        "0x10",
        "1e-3",
        "010",
        "- a",
        "a: b",
        "#",
        "1_000",
        "=",
        "{{x}}",
        "2026-01-31",
        "é\u2028",
    ]
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), values, max_size=4))
def test_any_text_comes_back_as_it_is_or_is_refused(parameters: dict[str, str]) -> None:
    """Whatever a parameter holds, the reader of specs reads that very text."""
    printable = all(value.isprintable() or not value for value in parameters.values())
    try:
        after = add_to_spec("s.yaml", SPEC, {"configurations": {"old": {"parameters": parameters}}})
    except InputError:
        assert not printable
        return
    found = read("s.yaml", after.encode()).data["configurations"]["old"]["parameters"]
    assert found == parameters
    assert all(type(value) is str for value in found.values())
