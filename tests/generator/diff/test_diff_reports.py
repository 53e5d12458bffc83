"""The three reports: nothing a file holds can break them, and Markdown fits into a comment."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.diff import Category, Change, FileDiff, Kind, TemplateDiff, diff_templates
from generator.diff.report_json import diff_document
from generator.diff.report_markdown import LIMIT, MINIMUM, diff_markdown
from generator.diff.report_text import diff_text, summary
from generator.diff.values import change_text, sides, value_text

PATH = "rendered/local/templates/a.yaml"
HOSTILE = [
    "</details></details><script>alert(1)</script>",
    "a | b || c",
    "```\nfence\n```",
    "@everyone and @acme/admins, fixes #1, see acme/repo#2",
    "[link](javascript:x) ![x](https://evil.example/x.png) https://evil.example www.evil.example",
    "line\nbreak\r\nand\ttab\x00\x1b[31m",
    "\u202egnp.exe\u2066",
    "&lt;b&gt; &amp; \\| \\",
    "<!-- marker -->",
    "*bold* _it_ ~s~ $x$ `code`",
]


def changed(*changes: Change, path: str = PATH) -> TemplateDiff:
    category = next(item for item in Category if any(change.category is item for change in changes))
    return TemplateDiff((FileDiff(path, Kind.CHANGED, category, changes),))


def change(before: object, after: object, address: str = "spec.x", kind: Kind = Kind.CHANGED) -> Change:
    return Change(address, kind, before, after, Category.RETRAIN)


class Tags(HTMLParser):
    """Checks that tags are closed in order and are none but ours, and collects the text of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.comments: list[str] = []
        self.code: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert self.comments == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"details", "summary", "code"}
        assert attrs in ([], [("open", None)])
        self.open.append(tag)
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.code[-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def well_formed(text: str) -> Tags:
    """Markdown whose tags balance, whose rows have five cells, and whose code holds all that is foreign."""
    tags = Tags(text)
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") == 6, line
        else:
            assert "|" not in line
    text = text.replace("`corespec diff`", "")
    bare = re.sub(r"<code>.*?</code>", "", text)
    assert not re.search(r"[@`\\\[\]!~$]|https?:|<!--", bare), bare
    assert "@" not in text
    assert "`" not in text
    return tags


def test_the_text_report_reads_well() -> None:
    """Files, changes with both sides, and one sentence that counts them."""
    before = {
        PATH: b"kind: WorkflowTemplate\nmetadata: {labels: {v: '1'}}\nspec: {image: a:1}\n",
        "rendered/local/images/a/requirements.txt": b"torch==2.12.0\n",
        "rendered/local/templates/old.yaml": b"a: 1\n",
    }
    after = {
        PATH: b"kind: WorkflowTemplate\nmetadata: {labels: {v: '2'}}\nspec: {image: a:2}\n",
        "rendered/local/images/a/requirements.txt": b"torch==2.13.0\n",
    }
    assert diff_text(diff_templates(before, after)) == (
        "~ rendered/local/images/a/requirements.txt (image)\n"
        "    ~ torch: 2.12.0 -> 2.13.0 (image)\n"
        "\n"
        "~ rendered/local/templates/a.yaml (retrain)\n"
        '    ~ metadata.labels.v: "1" -> "2" (metadata)\n'
        "    ~ spec.image: a:1 -> a:2 (retrain)\n"
        "\n"
        "- rendered/local/templates/old.yaml removed (metadata)\n"
        "\n"
        "2 files changed, 1 removed: 1 change retrains, 1 waits for a new image, 2 are metadata only.\n"
    )


def test_no_change_is_said_in_every_form() -> None:
    nothing = TemplateDiff()
    assert diff_text(nothing) == "No template changes.\n"
    assert diff_document(nothing) == {"summary": {"files": {}, "changes": {}}, "files": []}
    assert diff_markdown(nothing) == "### No template changes.\n\n"


def test_the_summary_counts_in_the_right_number() -> None:
    one = changed(change(1, 2))
    assert summary(one) == "1 file changed: 1 change retrains."
    two = TemplateDiff((*one.files, *changed(change(1, 2), change(3, 4), path="b").files))
    assert summary(two) == "2 files changed: 3 changes retrain."


def test_json_holds_whole_values_and_leaves_absent_sides_out() -> None:
    long = "x" * 10_000
    diff = changed(
        change(long, None), change(None, {"a": 1}, kind=Kind.ADDED), change([1], None, kind=Kind.REMOVED)
    )
    (file,) = diff_document(diff)["files"]
    assert json.loads(json.dumps(file)) == {
        "path": PATH,
        "change": "changed",
        "category": "retrain",
        "changes": [
            {"address": "spec.x", "change": "changed", "before": long, "after": None, "category": "retrain"},
            {"address": "spec.x", "change": "added", "after": {"a": 1}, "category": "retrain"},
            {"address": "spec.x", "change": "removed", "before": [1], "category": "retrain"},
        ],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("docker.io/a/b:1@sha256:ff", "docker.io/a/b:1@sha256:ff"),
        ("1", '"1"'),
        (1, "1"),
        ("true", '"true"'),
        (True, "true"),
        (None, "null"),
        ("", '""'),
        ("a ", '"a "'),
        ("a\nb", '"a\\nb"'),
        ("\u202ex", '"\\u202ex"'),
        ("Zähler", "Zähler"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_values_are_short_and_unmistakable(value: object, text: str) -> None:
    assert value_text(value) == text


def test_long_values_are_cut_to_where_they_differ() -> None:
    same = "exec python -m trainer " * 20
    before, after = sides(change(same + "--a", same + "--b"), 60)
    assert before is not None
    assert after is not None
    assert before.startswith("…")
    assert "--a" in before
    assert "--b" in after
    assert max(len(before), len(after)) <= 60
    assert len(change_text(change("x" * 5000, None, kind=Kind.REMOVED))) < 200


def test_a_new_order_is_told_as_an_order() -> None:
    moved = change(["a", "b"], ["b", "a"], address="env", kind=Kind.MOVED)
    assert change_text(moved) == 'env: order ["a", "b"] -> ["b", "a"]'


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_as_text(text: str) -> None:
    """In values, addresses and paths: no tag, cell, mention, reference, link, fence or control character."""
    diff = changed(change(text, {"k": text}, address=text), path=text)
    tags = well_formed(diff_markdown(diff))
    assert len(tags.code) == 4
    plain = diff_text(diff)
    assert all(sign.isprintable() or sign == "\n" for sign in plain)
    assert len(plain.splitlines()) == 4


KINDS = st.sampled_from([Kind.ADDED, Kind.REMOVED, Kind.CHANGED])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CHANGES = st.builds(
    Change,
    TEXTS,
    KINDS,
    TEXTS,
    TEXTS | st.lists(TEXTS, max_size=3),
    st.sampled_from(Category),
)
FILES = st.builds(
    FileDiff,
    TEXTS,
    KINDS,
    st.sampled_from(Category),
    st.lists(CHANGES, max_size=6).map(tuple),
)


@given(st.lists(FILES, max_size=4).map(tuple), st.integers(MINIMUM, 3_000))
def test_markdown_is_bounded_and_well_formed_whatever_it_holds(
    files: tuple[FileDiff, ...], limit: int
) -> None:
    text = diff_markdown(TemplateDiff(files), limit)
    assert len(text.encode()) <= limit
    well_formed(text)


@pytest.mark.parametrize("count", [1, 3, 90, 2_000])
def test_what_does_not_fit_is_counted(count: int) -> None:
    """Rows and files: what is shown and what is said to be left out add up."""
    changes = tuple(change("b" * 300, "é" * 300, address=f"spec.p{index}") for index in range(count))
    files = tuple(FileDiff(f"{index}.yaml", Kind.CHANGED, Category.RETRAIN, changes) for index in range(3))
    text = diff_markdown(TemplateDiff(files))
    assert len(text.encode()) <= LIMIT
    well_formed(text)
    shown = len(re.findall(r"^\| changed \|", text, re.MULTILINE))
    rows_left = sum(map(int, re.findall(r"(\d+) more, left out", text)))
    files_left = sum(map(int, re.findall(r"(\d+) more files? left out", text)))
    assert shown + rows_left + files_left * count == 3 * count


def test_an_absurd_limit_still_gives_the_summary() -> None:
    diff = changed(*(change(1, 2) for _ in range(100)))
    assert diff_markdown(diff, 1) == diff_markdown(diff, MINIMUM)
    assert len(diff_markdown(diff, 1).encode()) <= MINIMUM
