"""Templates are compared by meaning: addresses by name, and the effect as the fingerprint sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.diff import Category, Change, Kind, TemplateDiff, diff_templates
from generator.fingerprint import template_fingerprint

PATH = "rendered/local/templates/a.yaml"
Template = dict[str, Any]


def dumped(document: object) -> bytes:
    return yaml.safe_dump(document, sort_keys=False).encode()


def compare(before: object, after: object) -> TemplateDiff:
    return diff_templates({PATH: dumped(before)}, {PATH: dumped(after)})


def only(diff: TemplateDiff) -> Change:
    (change,) = diff.changes
    return change


@pytest.fixture
def edited(template: Template) -> Callable[[Callable[[Template], object]], TemplateDiff]:
    """Compares the rendered template with one that was edited by a function."""

    def run(edit: Callable[[Template], object]) -> TemplateDiff:
        after = copy.deepcopy(template)
        edit(after)
        return compare(template, after)

    return run


Edited = Callable[[Callable[[Template], object]], TemplateDiff]


def train(template: Template) -> Template:
    """The step that trains."""
    return next(step for step in template["spec"]["templates"] if step["name"] == "train")


def test_another_image_is_one_change_that_retrains(edited: Edited) -> None:
    change = only(edited(lambda found: train(found)["container"].update(image="docker.io/acme/x:2")))
    assert change.address == "spec.templates.train.container.image"
    assert change.kind is Kind.CHANGED
    assert change.after == "docker.io/acme/x:2"
    assert change.category is Category.RETRAIN


@pytest.mark.parametrize(
    ("edit", "address", "category"),
    [
        (
            lambda found: found["metadata"]["labels"].update({"ai.sap.com/version": "9"}),
            'metadata.labels["ai.sap.com/version"]',
            Category.METADATA,
        ),
        (
            lambda found: found["spec"]["arguments"]["parameters"][0].update(default="other"),
            "spec.arguments.parameters.model_name.default",
            Category.METADATA,
        ),
        (
            lambda found: train(found)["container"]["env"][0].update(value="x"),
            "spec.templates.train.container.env.TRAINER_MODEL_NAME.value",
            Category.RETRAIN,
        ),
        (
            lambda found: train(found)["metadata"]["labels"].update({"ai.sap.com/resourcePlan": "starter"}),
            'spec.templates.train.metadata.labels["ai.sap.com/resourcePlan"]',
            Category.RETRAIN,
        ),
        (
            lambda found: train(found)["inputs"]["artifacts"][0].update(path="/tmp/other"),
            "spec.templates.train.inputs.artifacts.datain.path",
            Category.RETRAIN,
        ),
        (
            lambda found: train(found)["container"].update(args=["exec other"]),
            "spec.templates.train.container.args[0]",
            Category.RETRAIN,
        ),
        (
            lambda found: found["spec"]["templates"][0]["steps"][0][0].update(template="other"),
            "spec.templates.main.steps[0].train.template",
            Category.RETRAIN,
        ),
        (
            lambda found: found["spec"]["imagePullSecrets"][0].update(name="other"),
            "spec.imagePullSecrets.acme-docker",
            Category.METADATA,
        ),
    ],
)
def test_every_part_has_an_address_and_an_effect(
    edited: Edited, edit: Callable[[Template], object], address: str, category: Category
) -> None:
    """List items have names, keys with dots are quoted, and metadata is told from what retrains."""
    first = next(edited(edit).changes)
    assert (first.address, first.category) == (address, category)


def test_an_item_that_is_put_in_between_is_one_addition(edited: Edited) -> None:
    item = {"name": "EXTRA", "value": "1"}
    change = only(edited(lambda found: train(found)["container"]["env"].insert(3, item)))
    assert (change.kind, change.before, change.after) == (Kind.ADDED, None, item)
    assert change.address == "spec.templates.train.container.env.EXTRA"


def test_an_item_that_is_taken_out_is_one_removal(edited: Edited) -> None:
    change = only(edited(lambda found: found["spec"]["arguments"]["parameters"].pop(2)))
    assert (change.kind, change.after, change.category) == (Kind.REMOVED, None, Category.METADATA)
    assert change.address == "spec.arguments.parameters.validation"


def test_another_order_is_a_change_because_the_fingerprint_sees_it(edited: Edited) -> None:
    """Silence would be wrong: such a template trains anew. The order of parameters only is metadata."""
    change = only(edited(lambda found: train(found)["container"]["env"].reverse()))
    assert (change.kind, change.category) == (Kind.MOVED, Category.RETRAIN)
    assert change.before == list(reversed(change.after))
    change = only(edited(lambda found: found["spec"]["arguments"]["parameters"].reverse()))
    assert (change.kind, change.category) == (Kind.MOVED, Category.METADATA)


def test_numbers_booleans_and_texts_of_the_same_look_are_told_apart() -> None:
    """`1`, `1.0`, `"1"` and `true` are four values for AI Core, though Python holds three of them equal."""
    values = [1, 1.0, "1", True]
    for before in values:
        for after in values:
            diff = compare({"spec": {"x": before}}, {"spec": {"x": after}})
            assert bool(diff) is (before is not after)


def test_comments_key_order_quotes_and_layout_are_no_change(template: Template) -> None:
    plain = {PATH: dumped(template)}
    turned = dict(reversed(list(template.items())))
    styles = [
        b"# Rendered from elsewhere\n" + dumped(template),
        yaml.safe_dump(turned, default_style='"').encode(),
        yaml.safe_dump(template, default_flow_style=True, width=40).encode(),
        yaml.safe_dump(template, indent=8).replace("\n", "\r\n").encode(),
    ]
    for style in styles:
        assert not diff_templates(plain, {PATH: style})


SERVING = """\
apiVersion: ai.sap.com/v1alpha1
kind: ServingTemplate
metadata: {name: reader, labels: {scenarios.ai.sap.com/id: x}}
spec:
  inputs:
    parameters: [{name: greeting, type: string, default: hello}]
    artifacts: [{name: trainedmodels}]
  template:
    apiVersion: serving.kserve.io/v1beta1
    metadata:
      labels: |
        ai.sap.com/resourcePlan: starter
    spec: |
      predictor:
        minReplicas: 1
        containers:
          - name: kserve-container
            image: docker.io/acme/server:1
            env:
              - name: GREETING
                value: "{{inputs.parameters.greeting}}"
"""


@pytest.mark.parametrize(
    ("before", "after", "address", "category"),
    [
        (
            "server:1",
            "server:2",
            "spec.template.spec.predictor.containers.kserve-container.image",
            Category.RETRAIN,
        ),
        ("minReplicas: 1", "minReplicas: 0", "spec.template.spec.predictor.minReplicas", Category.RETRAIN),
        (
            "resourcePlan: starter",
            "resourcePlan: infer.s",
            'spec.template.metadata.labels["ai.sap.com/resourcePlan"]',
            Category.RETRAIN,
        ),
        ("default: hello", "default: hi", "spec.inputs.parameters.greeting.default", Category.METADATA),
        ("name: reader", "name: writer", "metadata.name", Category.METADATA),
    ],
)
def test_the_yaml_inside_of_a_serving_template_is_read(
    before: str, after: str, address: str, category: Category
) -> None:
    """`spec` and the labels of the InferenceService are strings; their parts have addresses too."""
    assert before in SERVING
    change = only(diff_templates({PATH: SERVING.encode()}, {PATH: SERVING.replace(before, after).encode()}))
    assert (change.address, change.category) == (address, category)


def test_layout_inside_of_a_serving_template_is_no_change() -> None:
    """Neither quotes nor indentation nor comments in the string matter."""
    other = SERVING.replace("minReplicas: 1", "minReplicas: 1   # one").replace(
        "image: docker.io/acme/server:1", "image: 'docker.io/acme/server:1'"
    )
    assert not diff_templates({PATH: SERVING.encode()}, {PATH: other.encode()})


def test_a_serving_string_that_is_no_yaml_is_compared_as_text() -> None:
    bare = SERVING.replace('"{{inputs.parameters.greeting}}"', "{{inputs.parameters.greeting}}")
    change = only(diff_templates({PATH: SERVING.encode()}, {PATH: bare.encode()}))
    assert change.address == "spec.template.spec"


@pytest.mark.parametrize(
    "bad",
    [
        b"a: [",
        b"\xff\xfe\x00",
        b"a: &x 1\nb: *x\n",
        b"[" * 5_000,
        b"[" * 200_000 + b"]" * 200_000,  # deeper than a parser's stack
        b"a: !python/object:os.system {}\n",
        b"a" * (5 * 1024 * 1024),
        b"\x00",
    ],
)
def test_what_cannot_be_read_is_compared_by_lines(bad: bytes) -> None:
    """Broken YAML, foreign bytes, aliases (a bomb may hide there), depth, tags, size: no error."""
    change = only(diff_templates({PATH: b"a: 1\n"}, {PATH: bad}))
    assert (change.address, change.category) == ("(lines)", Category.RETRAIN)
    assert (change.before, change.after) == ("1 lines", "1 lines" if b"&x" not in bad else "2 lines")


def test_dates_nan_and_odd_keys_are_values_like_others() -> None:
    before = b"a: 2026-01-02\nb: .nan\n1: x\nc: =\n"
    assert not diff_templates({PATH: before}, {PATH: b"# other\n" + before})
    changes = diff_templates(
        {PATH: b"a: 2026-01-02\nb: .nan\n1: x\n"}, {PATH: b"a: 2026-01-03\nb: 1\n1: z\n"}
    )
    assert [change.address for change in changes.changes] == ["a", "b", "1"]


def test_several_documents_of_a_file_are_told_apart_by_their_place() -> None:
    one = b"kind: A\nspec: {x: 1}\n"
    diff = diff_templates({PATH: one + b"---\n" + one}, {PATH: one + b"---\nkind: A\nspec: {x: 2}\n"})
    assert only(diff).address == "[1].spec.x"
    assert only(diff_templates({PATH: one}, {PATH: one + b"---\n" + one})).kind is Kind.ADDED
    assert only(diff_templates({PATH: one + b"---\n" + one}, {PATH: one})).kind is Kind.REMOVED
    assert only(diff_templates({PATH: one}, {PATH: b"- 1\n"})).address == "."


def test_files_come_go_and_are_sorted() -> None:
    """A new template is run for the first time; one that is gone runs nothing; manifests are left out."""
    other = "rendered/local/images/a/Dockerfile"
    diff = diff_templates(
        {PATH: b"a: 1\n", "rendered/local/manifest.json": b"{}"},
        {"rendered/b/templates/x.yaml": b"a: 1\n", other: b"FROM a\n", "rendered/local/manifest.json": b"[]"},
    )
    assert [(file.path, file.kind, file.category) for file in diff.files] == [
        ("rendered/b/templates/x.yaml", Kind.ADDED, Category.RETRAIN),
        (other, Kind.ADDED, Category.IMAGE),
        (PATH, Kind.REMOVED, Category.METADATA),
    ]
    assert not diff_templates({}, {})


# What a template holds, and what the fingerprint leaves out.
_KEPT = ["name", "spec", "templates", "parameters", "container", "env", "metadata", "inputs", "kind"]
_LEFT_OUT = ["arguments", "imagePullSecrets", "retryStrategy", "activeDeadlineSeconds"]
KEYS = st.sampled_from([*_KEPT, *_LEFT_OUT])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
STEPS = st.lists(
    st.builds(
        lambda name, rest: {**rest, "name": name}, st.sampled_from("xyz"), st.dictionaries(KEYS, VALUES)
    ),
    max_size=3,
)
SPECS = st.fixed_dictionaries(
    {}, optional={"templates": STEPS, "arguments": VALUES, "entrypoint": VALUES, "imagePullSecrets": VALUES}
)
TEMPLATES = st.fixed_dictionaries(
    {"kind": st.just("WorkflowTemplate"), "metadata": VALUES, "spec": SPECS},
)


@given(TEMPLATES, TEMPLATES)
def test_something_retrains_exactly_when_the_fingerprint_differs(before: Template, after: Template) -> None:
    """The diff promises no training that does not come, and hides none that does."""
    retrains = any(change.category is Category.RETRAIN for change in compare(before, after).changes)
    assert retrains is (template_fingerprint(before) != template_fingerprint(after))


@given(VALUES, VALUES)
def test_a_diff_is_empty_exactly_when_the_documents_are_equal(before: Any, after: Any) -> None:
    """Any documents at all; and the same two always give the same diff."""
    first = compare(before, after)
    assert bool(first) is (yaml.safe_dump(before) != yaml.safe_dump(after))
    assert first == compare(before, after)
