"""Lint of WorkflowTemplates: a good one spoiled in every way that AI Core or Argo would punish."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from generator.errors import Diagnostic
from generator.lint import errors, lint
from generator.linting.dependencies import find_cycle
from tests.generator.lint_examples import workflow_template
from tests.generator.lint_mutations import BOX, ENV, MUTATIONS, STEPS, TRAIN, variable
from tests.generator.lint_spoil import Spoil, add, place, put

Json = dict[str, Any]
PATH = "train.yaml"


def test_the_template_of_the_page_is_good() -> None:
    """Nothing to find: neither errors nor warnings, however strict."""
    assert lint(workflow_template(), PATH, strict=True) == []


@pytest.mark.parametrize(
    ("code", "spoil"), [item[1:] for item in MUTATIONS], ids=[item[0] for item in MUTATIONS]
)
def test_a_spoiled_template_is_caught_by_its_rule_alone(code: str, spoil: Spoil) -> None:
    """Every finding of a single fault bears its code, names a field, and repeats no secret."""
    document = workflow_template()
    spoil(document)
    found = lint(document, PATH)
    assert {item.code for item in found} == {code}
    assert all(item.path == PATH and ": " in item.message and "hunter2" not in item.message for item in found)


@pytest.mark.parametrize(
    "reference",
    [
        "{{workflow.name}}",
        "{{ workflow.parameters.seed }}",
        "{{workflow.labels.x}}",
        "{{workflow.parameters.json}}",
        "{{workflow.creationTimestamp.Y}}",
        "{{item}}",
        "{{item.size}}",
        "{{pod.name}}",
        "{{inputs.artifacts.datain.path}}",
        "{{outputs.artifacts.trainedmodel.path}}",
        "{{retries}}",
        "{{lastRetry.exitCode}}",
        "{{=asInt(workflow.parameters.seed) + 1}}",
    ],
)
def test_references_that_argo_resolves_are_good(reference: str) -> None:
    document = workflow_template()
    variable("X", reference)(document)
    assert lint(document, PATH) == []


def test_a_parameter_read_by_an_expression_is_read() -> None:
    """Argo computes `{{=…}}`; what it reads there counts."""
    document = workflow_template()
    put(f"{ENV}/0/value", "{{=asInt(workflow.parameters.seed) + 1}}")(document)
    assert lint(document, PATH) == []


def test_artifacts_handed_over_by_a_step_are_internal() -> None:
    """They are no artifacts of the executable: no kind, and the output needs no global name."""
    document = workflow_template()
    add(
        "spec/templates",
        {
            **copy.deepcopy(place(document, TRAIN)),
            "name": "prepare",
            "outputs": {"artifacts": [{"name": "clean", "path": "/tmp/clean"}]},
        },
    )(document)
    add(f"{TRAIN}/inputs/artifacts", {"name": "cleaned", "path": "/tmp/in"})(document)
    handed = [{"name": "cleaned", "from": "{{steps.prepare.outputs.artifacts.clean}}"}]
    put(
        "spec/templates/0/steps",
        [
            [{"name": "prepare", "template": "prepare"}],
            [{"name": "train", "template": "train", "arguments": {"artifacts": handed}}],
        ],
    )(document)
    assert lint(document, PATH) == []


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (put("spec/entryPoint", "main"), "spec.entryPoint: unknown field; did you mean `entrypoint`?"),
        (
            put(f"{STEPS}/0/0/whn", "x"),
            "spec.templates[0].steps[0][0].whn: unknown field; did you mean `when`?",
        ),
        (
            put(f"{TRAIN}/retryStrategy/limits", 3),
            "spec.templates[1].retryStrategy.limits: unknown field; did you mean `limit`?",
        ),
        (
            put(f"{TRAIN}/retryStrategy/limit", []),
            "spec.templates[1].retryStrategy.limit: Input should be a valid string",
        ),
    ],
)
def test_a_misspelt_field_is_led_to_the_right_one(spoil: Spoil, where: str) -> None:
    document = workflow_template()
    spoil(document)
    assert where in [item.message for item in lint(document, PATH)]


def test_template_defaults_count() -> None:
    """What `templateDefaults` gives to every container is missing nowhere; a template's own word wins."""
    document = workflow_template()
    image = place(document, BOX).pop("image")
    labels = place(document, TRAIN).pop("metadata")
    put("spec/templateDefaults", {"container": {"image": image, "command": ["x"]}, "metadata": labels})(
        document
    )
    assert lint(document, PATH) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "512"),
        ("TOKENIZER", "wordpiece"),
        ("TOKEN", "/run/token"),
        ("SECRET_NAME", "db"),
        ("USE_TOKEN", "true"),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(name: str, value: str) -> None:
    document = workflow_template()
    variable(name, value)(document)
    assert lint(document, PATH) == []


def test_a_secret_reference_is_no_secret() -> None:
    document = workflow_template()
    add(ENV, {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}})(
        document
    )
    assert lint(document, PATH) == []


def test_a_thousand_and_one_parameters_are_one_too_many() -> None:
    document = workflow_template()
    add("spec/arguments/parameters", *({"name": f"p{number}"} for number in range(1000)))(document)
    put("spec/podMetadata", {"annotations": {"all": "{{workflow.parameters}}"}})(document)
    assert {item.code for item in lint(document, PATH)} == {"parameter-count"}


# Completed minimal forms of SAP's own examples (ai-core-samples: hello_pipeline, house-price-train).
HELLO: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {
        "name": "greeting-pipeline",
        "annotations": {"scenarios.ai.sap.com/name": "Greetings", "executables.ai.sap.com/name": "Greeter"},
        "labels": {"scenarios.ai.sap.com/id": "greetings", "ai.sap.com/version": "1.0"},
    },
    "spec": {
        "entrypoint": "pipeline",
        "templates": [
            {"name": "pipeline", "steps": [[{"name": "greet", "template": "greeter"}]]},
            {
                "name": "greeter",
                "container": {
                    "image": "docker.io/python:latest",
                    "command": ["python3", "-c"],
                    "args": ["print('hello')"],
                },
            },
        ],
    },
}
HOUSES: Json = {
    **HELLO,
    "spec": {
        "imagePullSecrets": [{"name": "mysecret"}],
        "entrypoint": "pipeline",
        "arguments": {"parameters": [{"name": "DEPTH"}]},
        "templates": [
            {"name": "pipeline", "steps": [[{"name": "predict", "template": "predictor"}]]},
            {
                "name": "predictor",
                "inputs": {"artifacts": [{"name": "houses", "path": "/app/data/"}]},
                "outputs": {
                    "artifacts": [
                        {
                            "name": "prices",
                            "globalName": "pricemodel",
                            "path": "/app/model/",
                            "archive": {"none": {}},
                        }
                    ]
                },
                "container": {
                    "image": "docker.io/somebody/house-price:03",
                    "command": ["/bin/sh", "-c"],
                    "env": [{"name": "DEPTH", "value": "{{workflow.parameters.DEPTH}}"}],
                    "args": ["python /app/src/main.py"],
                },
            },
        ],
    },
}


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (HELLO, {"container-command", "image-pinned", "resource-plan", "missing-deadline"}),
        (HOUSES, {"trailing-slash", "missing-kind", "resource-plan", "missing-deadline"}),
    ],
    ids=["hello", "house prices"],
)
def test_templates_in_the_manner_of_sap_have_warnings_only(document: Json, codes: set[str]) -> None:
    """AI Core runs them; corespec would not have written them so, and a rendered one would be refused."""
    found = lint(document, PATH)
    assert {item.code for item in found} == codes
    assert errors(found) == []
    assert {item.code for item in errors(lint(document, PATH, strict=True))} == codes - {"missing-deadline"}


def test_a_warning_says_that_it_is_one() -> None:
    assert str(Diagnostic("a", 1, 2, "c", "m")) == "a:1:2: c: m"
    assert str(Diagnostic("a", 1, 2, "c", "m", "warning")) == "a:1:2: warning: c: m"


def test_severity_comes_last_in_the_order() -> None:
    """Findings are sorted by place and code; severity changes nothing in that."""
    first, second = Diagnostic("a", 1, 1, "b", "m", "warning"), Diagnostic("a", 1, 1, "c", "m")
    assert sorted([second, first]) == [first, second]


def test_cycles_are_found_and_named() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert find_cycle({"a": ["a"]}) == ["a", "a"]
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []
