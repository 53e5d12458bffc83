"""The tag resolver and the language of `when` and `depends`."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcore.workflow.errors import WorkflowError
from localcore.workflow.expression import evaluate, names
from localcore.workflow.resolve import bind_parameters, item_scope, reference, resolve

NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,10}", fullmatch=True)
SCOPES = st.dictionaries(NAMES, st.text(max_size=20), min_size=1, max_size=5)
PLAIN = st.text(max_size=30).filter(lambda text: "{" not in text)


@given(PLAIN, SCOPES)
def test_text_without_tags_is_untouched(text: str, scope: dict[str, str]) -> None:
    assert resolve(text, scope) == text


@given(st.data(), SCOPES, st.lists(PLAIN, min_size=1, max_size=5))
def test_values_go_in_verbatim_and_once(data: st.DataObject, scope: dict[str, str], parts: list[str]) -> None:
    """Proves: whatever a value holds, tags included, it appears as it is between the literal parts."""
    keys = data.draw(st.lists(st.sampled_from(sorted(scope)), min_size=len(parts), max_size=len(parts)))
    blank = data.draw(st.sampled_from(["", " ", "  "]))
    template = "".join(f"{part}{{{{{blank}{key}{blank}}}}}" for part, key in zip(parts, keys, strict=True))
    assert resolve(template, scope) == "".join(
        part + scope[key] for part, key in zip(parts, keys, strict=True)
    )


@given(SCOPES, NAMES)
def test_an_unknown_tag_is_an_error_that_names_it(scope: dict[str, str], key: str) -> None:
    scope.pop(key, None)
    with pytest.raises(WorkflowError) as failed:
        resolve(f"before {{{{{key}}}}} after", scope)
    assert f"{{{{{key}}}}}" in str(failed.value)


def test_expression_tags_are_refused() -> None:
    with pytest.raises(WorkflowError, match="expression tags are not supported"):
        resolve("{{=asInt(x)}}", {})


def test_reference() -> None:
    assert reference(" {{ steps.a.outputs.artifacts.b }} ") == "steps.a.outputs.artifacts.b"
    with pytest.raises(WorkflowError):
        reference("prefix {{x}}")


@given(st.dictionaries(NAMES, st.one_of(st.text(), st.integers(), st.booleans()), max_size=4))
def test_items_of_loops(item: dict[str, object]) -> None:
    """Proves: `{{item}}` of a mapping is its JSON, `{{item.key}}` its value; texts are not quoted."""
    scope = item_scope(item)
    assert json.loads(scope["item"]) == item
    for key, value in item.items():
        assert scope[f"item.{key}"] == (value if isinstance(value, str) else json.dumps(value))


def test_binding_parameters() -> None:
    assert bind_parameters({"a": "1", "b": None}, {"b": "2"}, "spec") == {"a": "1", "b": "2"}
    with pytest.raises(WorkflowError, match=r"spec\.arguments\.b\.value is required"):
        bind_parameters({"b": None}, {}, "spec")
    with pytest.raises(WorkflowError, match="no parameter c"):
        bind_parameters({"a": "1"}, {"c": "2"}, "spec")


SCOPE = {"result": "heads", "number": "10", "nasty": "x' == 'x' || true", "empty": ""}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{{result}} == heads", True),
        ("{{result}} != heads", False),
        ("'{{result}}' == 'heads'", True),
        ("{{number}} > 9", True),
        ("{{number}} > 9 && {{result}} == tails", False),
        ("{{number}} < 9 || {{result}} == heads", True),
        ("!({{number}} < 9)", True),
        ("{{result}} =~ '^he'", True),
        ("true", True),
        ("! false && (true || false)", True),
        ('"{{empty}}" == ""', True),
        ("{{nasty}} == y", False),
        ("'{{nasty}}' == y", False),
        ("prefix-{{result}} == prefix-heads", True),
    ],
)
def test_conditions(expression: str, expected: bool) -> None:
    """Proves: comparisons, logic, numbers as numbers; a value cannot become structure."""
    assert evaluate(expression, lambda text: resolve(text, SCOPE)) is expected


@pytest.mark.parametrize(
    "expression", ["", "heads", "a ==", "a == b c", "(a == b", "a == 'b", "== b", "a && b"]
)
def test_broken_conditions_are_errors(expression: str) -> None:
    with pytest.raises(WorkflowError):
        evaluate(expression, lambda text: text)


@given(st.text(max_size=40))
def test_any_text_is_a_truth_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(WorkflowError):
        assert evaluate(text, lambda word: word) in (True, False)


def test_names_of_depends() -> None:
    assert names("a && (b.Succeeded || !c.Failed)") == ["a", "b.Succeeded", "c.Failed"]
