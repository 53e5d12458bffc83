"""Scalars of the spec language: each refuses with a sentence that names what is legal."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from generator.spec import types
from generator.spec.types import image_problem, parse_duration


def accepts(annotation: Any, value: object) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("6h", 21600), ("2h30m", 9000), ("1d", 86400), ("1d2h3m4s", 93784)]
)
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "6", "6 h", "h", "-1h", "1.5h", "30m2h", 90, None])
def test_durations_need_a_number_and_a_unit_in_order(text: object) -> None:
    assert not accepts(types.Duration, text)


def test_timestamps_need_a_zone() -> None:
    adapter = TypeAdapter(types.Timestamp)
    assert adapter.validate_python("2026-01-31T08:00:00Z") == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert adapter.validate_python("2026-01-31T09:00:00+01:00") == datetime(2026, 1, 31, 8, tzinfo=UTC)
    for text in ("2026-01-31", "2026-01-31T08:00:00", "20260131T080000Z", "yesterday", 1):
        assert not accepts(types.Timestamp, text)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (
            types.ScenarioId,
            ["meter-reading", "a.b-c", "0000"],
            ["abc", "Meter", "-abc", "abc-", "a" * 64, "ab..cd"],
        ),
        (types.ExecutableId, ["digit-detection", "abcd"], ["abc", "1bcd", "a_bc", "a.bcd", "abc-", "a" * 64]),
        (types.ObjectName, ["a", "a-b_c", "9"], ["", "a--b", "-a", "A", "a.b", "a" * 64]),
        (types.Version, ["0.0.1", "v1_2"], ["", ".1", "1 0", "a" * 64]),
        (types.LabelKey, ["ext.ai.sap.com/team"], ["team", "ext.ai.sap.com/", "ai.sap.com/x"]),
        (types.DockerSecretName, ["acme-docker", "a"], ["", "Acme", "a__b", "-a"]),
        (types.ApplicationName, ["abc"], ["ab", "a" * 55, "a_b"]),
        (types.RepositoryName, ["gitops"], ["", "a" * 52, "a.b"]),
        (types.ResourceGroup, ["default", "A.b-c"], ["ab", "-ab", "a" * 254]),
        (types.BranchName, ["main", "release/1.0"], ["", "a..b", "a.lock", "/a", "a/", "-a", "a b"]),
        (types.RelativePath, ["a", "a/b.c"], ["", "/a", "a//b", "../a", "a/.", "a\\b"]),
        (types.Line, ["one line"], ["", " ", "two\nlines", "bell\a", "${HOME}", "x" * 257]),
    ],
)
def test_names_follow_ai_core_and_kubernetes(annotation: Any, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not accepts(annotation, text)] == []
    assert [text for text in bad if accepts(annotation, text)] == []


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/acme/digits:0.0.1",
        "localhost:5000/a:1",
        "h.example/a@sha256:" + "0" * 64,
        "registry:5000/a/b/c:x",
    ],
)
def test_pinned_images_with_their_host_are_good(image: str) -> None:
    assert image_problem(image) is None


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("acme/digits:1", "image_host"),
        ("digits:1", "image_host"),
        ("docker.io/acme/digits", "image_unpinned"),
        ("docker.io/acme/digits:latest", "image_unpinned"),
        ("docker.io/Acme/digits:1", "image_reference"),
        ("docker.io/acme/digits:1@sha256:0", "image_reference"),
        ("", "image_reference"),
    ],
)
def test_images_that_move_or_are_incomplete_are_refused(image: str, code: str) -> None:
    problem = image_problem(image)
    assert problem is not None
    assert problem[0] == code


@given(st.text(alphabet="a-._/:@A0", max_size=300))
def test_no_name_pattern_takes_long_on_hostile_text(text: str) -> None:
    """Nested repetitions would take minutes on such text."""
    begin = time.perf_counter()
    image_problem(text)
    for annotation in (types.DockerSecretName, types.ScenarioId, types.BranchName, types.ObjectStoreName):
        accepts(annotation, text)
    assert time.perf_counter() - begin < 5
