"""Dockerfiles and requirement files are summarised as base images, instructions and package versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.diff import Category, Kind, diff_templates
from generator.diff.values import change_text

DOCKERFILE = "rendered/local/images/a/Dockerfile"
REQUIREMENTS = "rendered/local/images/a/requirements.txt"


def told(path: str, before: str, after: str) -> list[str]:
    """The changes as text."""
    diff = diff_templates({path: before.encode()}, {path: after.encode()})
    assert all(change.category is Category.IMAGE for change in diff.changes)
    return [change_text(change) for change in diff.changes]


def test_package_versions() -> None:
    before = "# pinned\ntorch==2.12.0\nnumpy==2.0\nold==1\nPillow>=11,<12\n"
    after = (
        "pillow >= 11, < 13  # wider\nnumpy==2.0\ntorch==2.13.0\nnew-one[extra]==3 ; python_version<'3.12'\n"
    )
    assert told(REQUIREMENTS, before, after) == [
        "new-one[extra]; python_version<'3.12': 3",
        "old: 1",
        "pillow: >=11,<12 -> >=11,<13",
        "torch: 2.12.0 -> 2.13.0",
    ]


def test_hashes_that_change_under_the_same_version_are_named() -> None:
    """Nothing else would tell that another file is installed."""
    before = "torch==2.13.0 \\\n    --hash=sha256:aaaa \\\n    --hash=sha256:bbbb\n"
    after = "torch==2.13.0 \\\n    --hash=sha256:cccc\n"
    assert told(REQUIREMENTS, before, after) == ["torch (hashes): 2: sha256:aaaa… -> 1: sha256:cccc…"]
    wrapped = "torch==2.13.0 --hash=sha256:bbbb --hash=sha256:aaaa\n"
    assert told(REQUIREMENTS, before, wrapped) == []


def test_options_are_compared_without_their_credentials() -> None:
    before = "--extra-index-url=https://me:hunter2@wheels.acme.io/simple\n-r base.txt\n"
    after = "--extra-index-url https://other.acme.io/simple\n-r base.txt\n-r more.txt\n"
    lines = told(REQUIREMENTS, before, after)
    assert lines == [
        "--extra-index-url: https://wheels.acme.io/simple -> https://other.acme.io/simple",
        "-r: base.txt -> base.txt, more.txt",
    ]


def test_base_images_by_stage() -> None:
    before = "FROM python:3.11 AS build\nRUN x\nFROM python:3.11-slim\n"
    after = "FROM python:3.12 as build\nRUN x\nFROM python:3.12-slim\nFROM --platform=linux/amd64 scratch\n"
    assert told(DOCKERFILE, before, after) == [
        "FROM build: python:3.11 -> python:3.12",
        "FROM 1: python:3.11-slim -> python:3.12-slim",
        "FROM 2: --platform=linux/amd64 scratch",
    ]


def test_instructions_that_change_come_and_go() -> None:
    before = "FROM a\nENV A=1 \\\n    # why\n    B=2\nRUN one\nUSER root\n"
    after = "FROM a\n\n# other comment\nENV A=1    B=3\nRUN one\nRUN two\n"
    assert told(DOCKERFILE, before, after) == ["ENV: A=1 B=2 -> A=1 B=3", "USER: root", "RUN: two"]


def test_comments_and_line_breaks_of_a_dockerfile_are_no_change() -> None:
    assert told(DOCKERFILE, "FROM a\nRUN x && y\n", "# c\nFROM   a\n\nRUN x && \\\n    y\n") == []


def test_other_files_are_counted_by_lines() -> None:
    path = "rendered/local/images/a/notes.txt"
    (change,) = diff_templates({path: b"a\nb\n"}, {path: b"a\nc\nd\n"}).changes
    assert (change.address, change.kind, change.category) == ("(lines)", Kind.CHANGED, Category.METADATA)
    assert (change.before, change.after) == ("1 lines", "2 lines")


LINES = st.lists(
    st.sampled_from(
        ["FROM", "AS", "torch==", "--hash=", "\\", "#", "-r", "x", " ", "\n", ";", "[", "é", "\0"]
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize("path", [DOCKERFILE, REQUIREMENTS, "rendered/a/templates/x.yaml", "rendered/a/y"])
@given(before=LINES.map(str.encode) | st.binary(), after=LINES.map(str.encode) | st.binary())
def test_no_content_makes_a_diff_fail(path: str, before: bytes, after: bytes) -> None:
    """Whatever lies in a file, it is compared; and what is equal has no difference."""
    diff_templates({path: before}, {path: after})
    assert not diff_templates({path: before}, {path: before})
