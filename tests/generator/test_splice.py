"""One key is set or removed, and no other character of a spec moves."""

from __future__ import annotations

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InputError
from generator.spec.reader import read
from generator.splice import Flow, remove_key, set_key

TEXT = """\
# what it is for
apiVersion:   corespec/v1   # two more blanks
executions:
    # four blanks here
    base:
        configuration: "base"      # quoted

        retries: 1  # often
    flow:  { configuration: base, want: 1 }   # in braces
    empty: {}
    long: {configuration: base,
           want: 1}
    nothing:

# the end is a comment
deployments:
  d: {executable: x}
"""
SUSPEND = Flow('{reason: "a: b", until: 2026-02-01T08:00:00Z}')
HOLDS = {"reason": "a: b", "until": "2026-02-01T08:00:00Z"}


def changes(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("base", "        suspend: {SAID}"),
        ("flow", "    flow:  { configuration: base, want: 1, suspend: {SAID} }   # in braces"),
        ("empty", "    empty: {suspend: {SAID}}"),
        ("long", "           want: 1, suspend: {SAID}}"),
        ("nothing", "    nothing: {suspend: {SAID}}"),
    ],
)
def test_a_key_is_added_where_its_block_ends(name: str, line: str) -> None:
    """In the style of the block, on one line; taken away again it is the same text but for an empty block."""
    after = set_key("x", TEXT, ("executions", name, "suspend"), SUSPEND, HOLDS)
    (added,) = [one[2:] for one in changes(TEXT, after) if one.startswith("+")]
    assert added == line.replace("{SAID}", SUSPEND)
    assert read("x", after.encode()).data["executions"][name]["suspend"] == HOLDS
    back = remove_key("x", after, ("executions", name, "suspend"), keep=3)
    assert back == (TEXT if name != "nothing" else TEXT.replace("nothing:", "nothing: {}"))


def test_a_key_that_is_there_keeps_its_place() -> None:
    """Only its value and the line it stands on change."""
    after = set_key("x", TEXT, ("executions", "base", "retries"), Flow("2"), 2)
    assert changes(TEXT, after) == ["-         retries: 1  # often", "+         retries: 2  # often"]


def test_what_lies_between_is_made_and_taken_away_again() -> None:
    """A section that the file does not have: at its end, and gone with its last entry."""
    where = ("overrides", "meters", "executions", "base", "suspend")
    after = set_key("x", TEXT, where, SUSPEND, HOLDS)
    assert after == TEXT + (
        f"overrides:\n  meters:\n    executions:\n      base:\n        suspend: {SUSPEND}\n"
    )
    assert remove_key("x", after, where) == TEXT


def test_a_block_over_several_lines_goes_whole() -> None:
    """With its comments; what follows stays."""
    long = "a:\n  b: 1\n  suspend:\n    # why\n    reason: x  # because\n    until: y\n\n  # next\n  c: 2\n"
    assert remove_key("x", long, ("a", "suspend")) == "a:\n  b: 1\n\n  # next\n  c: 2\n"


def test_a_block_that_stays_without_its_last_key_is_an_empty_one() -> None:
    """And not nothing at all; the comment behind its name stays."""
    text = "a:\n  'b' :  # why\n    s: {t: 1}\n  c: 2\n"
    assert remove_key("x", text, ("a", "b", "s"), keep=3) == "a:\n  'b' : {}  # why\n  c: 2\n"
    assert remove_key("x", text, ("a", "b", "s"), keep=1) == "a:\n  c: 2\n"


@pytest.mark.parametrize("text", ["a: {b: 1, s: 2, c: 3}\n", "a: {s: 2, b: 1}\n", "a: {b: 1, s: 2}\n"])
def test_a_key_between_others_in_braces(text: str) -> None:
    """No comma too many, none too few."""
    left = read("x", remove_key("x", text, ("a", "s")).encode())
    assert (left.diagnostics, "s" in left.data["a"], left.data["a"]["b"]) == ((), False, 1)


def test_what_is_not_there_needs_no_removing() -> None:
    """The text itself."""
    assert remove_key("x", TEXT, ("executions", "base", "suspend")) == TEXT
    assert remove_key("x", TEXT, ("overrides", "meters", "suspend")) == TEXT


def test_line_breaks_of_windows_stay() -> None:
    """All of them, and the new line has one too."""
    after = set_key("x", TEXT.replace("\n", "\r\n"), ("executions", "base", "retries"), Flow("2"), 2)
    assert after.count("\r\n") == after.count("\n") == TEXT.count("\n")


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "a: 1\na: 2\n", "a: &x 1\n"])
def test_a_text_that_is_no_spec_is_refused(text: str) -> None:
    """With the file's name."""
    with pytest.raises(InputError, match=r"x\.yaml"):
        set_key("x.yaml", text, ("a", "b"), Flow("1"), 1)


def test_a_scalar_has_no_keys() -> None:
    """A name that stands where a mapping should."""
    with pytest.raises(InputError, match="edit the file by hand"):
        set_key("x", "a: word\n", ("a", "b"), Flow("1"), 1)


KEYS = st.sampled_from(["one", "two", "three"])
LEAVES = st.one_of(st.integers(0, 9), st.sampled_from(["word", "two words", "a: b", "# no comment", ""]))
TREES = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6),
    min_size=1,
)


@given(
    tree=TREES,
    where=st.lists(KEYS, min_size=1, max_size=4),
    style=st.sampled_from([None, True, False]),
    comments=st.booleans(),
)
def test_whatever_the_text_only_that_key_changes(
    tree: dict[str, object], where: list[str], style: bool | None, comments: bool
) -> None:
    """Drawn texts in both styles, with comments: set, then removed, and everything else reads as before."""
    text = yaml.safe_dump(tree | {"kind": "x"}, default_flow_style=style, sort_keys=False, width=10_000)
    if comments:
        text = "".join(f"{line}  # said\n" for line in text.splitlines())
    if _ends_in_a_word(tree, where):
        with pytest.raises(InputError, match="by hand"):
            set_key("x", text, where, Flow("{reason: why}"), {"reason": "why"})
        return
    after = set_key("x", text, where, Flow("{reason: why}"), {"reason": "why"})
    if remove_key("x", text, where, keep=len(where)) == text:  # it was not there: no comment was its own
        assert after.count("# said") == text.count("# said")
    node = read("x", after.encode()).data
    for name in where:
        node = node[name]
    assert node == {"reason": "why"}
    left = read("x", remove_key("x", after, where).encode())
    assert left.diagnostics == ()
    expected = {name: value for name, value in tree.items() if name != where[0]} | {"kind": "x"}
    assert {name: value for name, value in left.data.items() if name != where[0]} == expected


def _ends_in_a_word(tree: object, where: list[str]) -> bool:
    """Whether a scalar stands where one of the mappings on the way should."""
    for name in where:
        if not isinstance(tree, dict):
            return True
        if name not in tree:
            return False
        tree = tree[name]
    return False
