"""Lint over documents that nobody would write: it never crashes, and its findings depend on content alone."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from generator.lint import lint, lint_file, lint_files
from tests.generator.lint_examples import dump, serving_template, workflow_template

Json = dict[str, Any]


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in below for place in _places(item, (*path, key)))]


# Keys that mean something, so that values get past the schema and reach the rules.
_KNOWN = sorted(
    {str(step) for good in (workflow_template(), serving_template()) for p in _places(good) for step in p}
)
_MORE = """dag tasks depends dependencies sidecars containerSet hooks onExit templateDefaults inline volumes
valueFrom initContainers securityContext activeDeadlineSeconds timeout podMetadata"""
_KEYS = st.sampled_from([*_MORE.split(), *_KNOWN])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70000)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        ["main", "{{workflow.parameters.seed}}", "{{inputs.artifacts.x}}", "{{", "30s", "/tmp", ""]
    )
    | st.text(max_size=12)
)
VALUES = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS, below, max_size=4),
    max_leaves=12,
)


def _values(value: Any) -> list[Any]:
    """Every value of a document: in another place of it, one passes for what belongs there more often."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for item in below for found in _values(item))]


@st.composite
def disturbed(draw: st.DrawFn) -> Json:
    """A good template, in which up to three values are something else, or stand in other places too."""
    document = draw(st.sampled_from([workflow_template, serving_template]))()
    for _ in range(draw(st.integers(1, 3))):
        *steps, last = draw(st.sampled_from(_places(document)[1:]))
        holder: Any = document
        for step in steps:
            holder = holder[step]
        key = draw(_KEYS) if isinstance(holder, dict) and draw(st.booleans()) else last
        holder[key] = draw(VALUES | st.sampled_from(_values(document)).map(copy.deepcopy))
    return document


@st.composite
def inner(draw: st.DrawFn) -> Json:
    """A good ServingTemplate with any text, or any values, inside of it."""
    document = serving_template()
    text = draw(
        st.text(max_size=60) | VALUES.map(lambda value: dump(value) if isinstance(value, dict) else "a: b\n")
    )
    holder, key = draw(
        st.sampled_from([((), "spec"), (("metadata",), "labels"), (("metadata",), "annotations")])
    )
    template = document["spec"]["template"]
    for step in holder:
        template = template[step]
    template[key] = text
    return document


def shuffled(value: Any) -> Any:
    """The same value with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_any_value_is_judged(value: Any) -> None:
    """No template at all: a finding, and no exception."""
    assert lint(value, "a.yaml")


@settings(max_examples=200)
@given(disturbed() | inner())
def test_a_disturbed_template_is_judged_whatever_is_wrong(document: Json) -> None:
    """Every finding has a place, a known severity and words."""
    for item in lint(document, "a.yaml", strict=True):
        assert item.path == "a.yaml"
        assert item.line >= 1
        assert item.column >= 1
        assert item.severity in {"error", "warning"}
        assert item.message


@given(disturbed() | inner())
def test_findings_depend_on_content_alone(document: Json) -> None:
    """Twice the same, and the same whatever the order of keys; lint changes nothing in what it reads."""
    before = json.dumps(document, sort_keys=False, default=str)
    first = lint(document, "a.yaml")
    assert lint(document, "a.yaml") == first
    assert lint(shuffled(document), "a.yaml") == first
    assert json.dumps(document, sort_keys=False, default=str) == before


@given(disturbed())
def test_strict_finds_the_same_and_weighs_it_more(document: Json) -> None:
    loose, strict = lint(document, "a.yaml"), lint(document, "a.yaml", strict=True)
    assert [(item.code, item.message) for item in loose] == [(item.code, item.message) for item in strict]
    assert all(
        hard.severity == "error" for soft, hard in zip(loose, strict, strict=True) if soft.severity == "error"
    )


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
    st.sampled_from(["a.yaml", "a.json", "a"]),
)
def test_any_bytes_are_a_file(content: bytes, name: str) -> None:
    """Never an exception: a finding with its place."""
    assert all(item.path == name for item in lint_file(name, content))
    assert lint_files({name: content})


@given(disturbed())
def test_a_file_and_its_document_have_the_same_findings(document: Json) -> None:
    """Written as JSON and read again, nothing but lines and columns is added."""
    text = json.dumps(document)
    told = {(item.code, item.message) for item in lint(json.loads(text), "a.json")}
    assert {(item.code, item.message) for item in lint_file("a.json", text.encode())} == told
