"""Lint of WorkflowTemplates: a good one spoiled in every way that AI Core or Argo would punish."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from generator.errors import Diagnostic
from generator.lint import errors, lint
from generator.linting.dependencies import find_cycle
from tests.generator.lint_examples import workflow_template
from tests.generator.lint_spoil import Spoil, add, all_of, drop, place, put

Json = dict[str, Any]
PATH = "train.yaml"
TRAIN = "spec/templates/1"
BOX = f"{TRAIN}/container"
ENV = f"{BOX}/env"
STEPS = "spec/templates/0/steps"
OUTPUT = f"{TRAIN}/outputs/artifacts/0"
INPUT = f"{TRAIN}/inputs/artifacts/0"
NOTES = "metadata/annotations"
HELPER = {
    "name": "readable-helper",
    "image": "docker.io/acme/helper:1",
    "command": ["/bin/sh", "-c"],
    "args": ["help"],
}


def variable(name: str, value: Any) -> Spoil:
    return add(ENV, {"name": name, "value": value})


def call(name: str, template: str) -> Spoil:
    return add(STEPS, [{"name": name, "template": template}])


def dag(*tasks: Json) -> Spoil:
    def spoil(document: Json) -> None:
        document["spec"]["templates"][0] = {"name": "main", "dag": {"tasks": list(tasks)}}

    return spoil


def task(name: str, **more: Any) -> Json:
    return {"name": name, "template": "train", **more}


def in_set(name: str) -> Spoil:
    """The container becomes the only one of a set, under another name."""

    def spoil(document: Json) -> None:
        template = place(document, TRAIN)
        template["containerSet"] = {"containers": [{**template.pop("container"), "name": name}]}

    return spoil


def curves(**more: Any) -> Spoil:
    artifact = {"name": "curves", "globalName": "curves", "path": "/tmp/curves", "archive": {"none": {}}}
    return all_of(
        add(f"{TRAIN}/outputs/artifacts", {**artifact, **more}),
        put(f"{NOTES}/artifacts.ai.sap.com~curves.kind", "other"),
    )


LABEL = "metadata/labels"
MUTATIONS: list[tuple[str, str, Spoil]] = [
    ("unknown field of the spec", "template-schema", put("spec/entryPoint", "main")),
    ("unknown field of a container", "template-schema", put(f"{BOX}/imagePullSecret", "x")),
    ("Python's spelling of a field", "template-schema", put("spec/image_pull_secrets", [])),
    ("wrong type", "template-schema", put("spec/templates", "none")),
    ("wrong kind", "template-kind", put("kind", "Workflow")),
    ("wrong API version", "template-kind", put("apiVersion", "argoproj.io/v1")),
    ("illegal name", "executable-name", put("metadata/name", "Digit_Detection")),
    ("short name", "executable-name", put("metadata/name", "abc")),
    ("other id in a label", "executable-label", put(f"{LABEL}/executables.ai.sap.com~id", "digits")),
    ("no scenario", "scenario-label", drop(f"{LABEL}/scenarios.ai.sap.com~id")),
    ("long scenario", "scenario-label", put(f"{LABEL}/scenarios.ai.sap.com~id", "x" * 64)),
    ("no version", "version-label", drop(f"{LABEL}/ai.sap.com~version")),
    ("version with a blank", "label-value", put(f"{LABEL}/ai.sap.com~version", "1 beta")),
    ("version as a number", "label-value", put(f"{LABEL}/ai.sap.com~version", 1.0)),
    ("illegal label key", "label-value", put(f"{LABEL}/-x", "y")),
    ("illegal label of a pod", "label-value", put(f"{TRAIN}/metadata/labels/team", "a b")),
    ("no scenario name", "name-annotation", drop(f"{NOTES}/scenarios.ai.sap.com~name")),
    ("no executable name", "name-annotation", drop(f"{NOTES}/executables.ai.sap.com~name")),
    ("long name", "annotation-value", put(f"{NOTES}/executables.ai.sap.com~name", "x" * 257)),
    ("name as a number", "annotation-value", put(f"{NOTES}/executables.ai.sap.com~name", 7)),
    ("entrypoint gone", "entrypoint", put("spec/entrypoint", "mian")),
    ("no entrypoint", "entrypoint", drop("spec/entrypoint")),
    ("template of two types", "template-type", put(f"{TRAIN}/suspend", {})),
    (
        "template of no type",
        "template-type",
        all_of(add("spec/templates", {"name": "nothing"}), put("spec/onExit", "nothing")),
    ),
    (
        "illegal template name",
        "template-name",
        all_of(put("spec/templates/0/name", "main_steps"), put("spec/entrypoint", "main_steps")),
    ),
    (
        "two templates of one name",
        "duplicate-template",
        add("spec/templates", {"name": "main", "suspend": {}}),
    ),
    ("step calls nothing", "unknown-template", call("check", "chekc")),
    ("step twice", "duplicate-step", call("train", "train")),
    ("illegal step name", "step-name", call("train again", "train")),
    ("template nobody calls", "unused-template", add("spec/templates", {"name": "other", "suspend": {}})),
    ("argument missing", "missing-argument", put(f"{TRAIN}/inputs/parameters", [{"name": "epochs"}])),
    ("dependency gone", "unknown-dependency", dag(task("a", dependencies=["b"]))),
    ("dependency gone, in words", "unknown-dependency", dag(task("a"), task("b", depends="a.Failed && c"))),
    (
        "two ways to depend",
        "dependency-form",
        dag(task("a"), task("b", dependencies=["a"]), task("c", depends="b")),
    ),
    ("a digit that depends", "dependency-form", dag(task("a"), task("2b", dependencies=["a"]))),
    ("tasks wait for each other", "cycle", dag(task("a", dependencies=["b"]), task("b", dependencies=["a"]))),
    ("tasks wait in words", "cycle", dag(task("a", depends="b.Succeeded"), task("b", depends="a"))),
    ("template calls itself", "recursive-template", call("again", "main")),
    ("parameter undeclared", "unresolved-reference", variable("X", "{{workflow.parameters.sede}}")),
    ("input undeclared", "unresolved-reference", variable("X", "{{inputs.artifacts.data.path}}")),
    ("step unknown", "unresolved-reference", variable("X", "{{steps.prepare.outputs.result}}")),
    ("workflow field unknown", "unresolved-reference", variable("X", "{{workflow.nam}}")),
    (
        "inputs outside",
        "unresolved-reference",
        put("spec/podMetadata", {"annotations": {"a": "{{inputs.parameters.x}}"}}),
    ),
    ("scope unknown", "unknown-reference", variable("X", "{{parameters.seed}}")),
    ("parameter unread", "unused-parameter", drop(f"{ENV}/0")),
    (
        "illegal parameter name",
        "parameter-name",
        all_of(
            add("spec/arguments/parameters", {"name": "batch size"}),
            variable("SIZE", "{{workflow.parameters.batch size}}"),
        ),
    ),
    ("parameter twice", "duplicate-parameter", add("spec/arguments/parameters", {"name": "seed"})),
    ("default too long", "parameter-value", put("spec/arguments/parameters/0/default", "x" * 5001)),
    ("default as a number", "parameter-value", put("spec/arguments/parameters/0/default", 1337)),
    (
        "description too long",
        "parameter-description",
        put("spec/arguments/parameters/0/description", "x" * 5001),
    ),
    (
        "parameter in the shell",
        "parameter-in-shell",
        put(f"{BOX}/args", ["train {{workflow.parameters.seed}}"]),
    ),
    ("output from nowhere", "output-parameter", put(f"{TRAIN}/outputs/parameters", [{"name": "x"}])),
    (
        "signatures as text",
        "signature-parameter",
        put(f"{TRAIN}/outputs/parameters", [{"name": "AICORE_ARTIFACT_SIGNATURES", "value": "{}"}]),
    ),
    ("artifact without path", "artifact-path", drop(f"{INPUT}/path")),
    ("relative path", "artifact-path", put(f"{OUTPUT}/path", "tmp/model")),
    ("path upwards", "artifact-path", put(f"{OUTPUT}/path", "/tmp/../model")),
    ("trailing slash", "trailing-slash", put(f"{OUTPUT}/path", "/tmp/model/")),
    ("input on a volume", "path-conflict", put(f"{INPUT}/path", "/scratch")),
    ("output on an input", "shared-path", put(f"{OUTPUT}/path", "/tmp/datain")),
    ("illegal artifact name", "artifact-name", put(f"{OUTPUT}/name", "trained model")),
    (
        "artifact twice",
        "duplicate-artifact",
        add(f"{TRAIN}/inputs/artifacts", {"name": "datain", "path": "/tmp/b"}),
    ),
    ("input with from", "input-from", put(f"{INPUT}/from", "{{workflow.outputs.artifacts.x}}")),
    (
        "output unregistered",
        "output-global-name",
        all_of(
            curves(),
            drop(f"{TRAIN}/outputs/artifacts/1/globalName"),
            drop(f"{NOTES}/artifacts.ai.sap.com~curves.kind"),
        ),
    ),
    (
        "global name twice",
        "duplicate-global-name",
        all_of(curves(globalName="trainedmodel"), drop(f"{NOTES}/artifacts.ai.sap.com~curves.kind")),
    ),
    ("output packed", "artifact-archive", drop(f"{OUTPUT}/archive")),
    ("output elsewhere", "output-location", put(f"{OUTPUT}/s3", {"bucket": "b", "key": "k"})),
    ("artifact without kind", "missing-kind", drop(f"{NOTES}/artifacts.ai.sap.com~datain.kind")),
    ("unknown kind", "artifact-kind", put(f"{NOTES}/artifacts.ai.sap.com~trainedmodel.kind", "modell")),
    (
        "annotation of no artifact",
        "artifact-annotation",
        put(f"{NOTES}/artifacts.ai.sap.com~model.kind", "model"),
    ),
    (
        "annotation with no meaning",
        "artifact-annotation",
        put(f"{NOTES}/artifacts.ai.sap.com~datain.knd", "x"),
    ),
    ("labels as words", "artifact-labels", put(f"{NOTES}/artifacts.ai.sap.com~datain.labels", "a=b")),
    (
        "labels with a foreign key",
        "artifact-labels",
        put(f"{NOTES}/artifacts.ai.sap.com~datain.labels", '{"a": "b"}'),
    ),
    (
        "labels with a number",
        "artifact-labels",
        put(f"{NOTES}/artifacts.ai.sap.com~datain.labels", '{"ext.ai.sap.com/a": 1}'),
    ),
    ("illegal artifact title", "registered-name", put(f"{NOTES}/artifacts.ai.sap.com~datain.name", "Zähler")),
    ("no shell", "container-command", put(f"{BOX}/command", ["python"])),
    ("several arguments", "container-command", add(f"{BOX}/args", "x")),
    ("empty argument", "container-command", put(f"{BOX}/args", [""])),
    ("image without host", "image-host", put(f"{BOX}/image", "acme/digits:1")),
    ("image unpinned", "image-pinned", put(f"{BOX}/image", "docker.io/acme/digits")),
    ("image moves", "image-pinned", put(f"{BOX}/image", "docker.io/acme/digits:latest")),
    (
        "image by parameter",
        "image-pinned",
        put(f"{BOX}/image", "docker.io/acme/digits:{{workflow.parameters.seed}}"),
    ),
    ("no image", "image-reference", drop(f"{BOX}/image")),
    ("image in capitals", "image-reference", put(f"{BOX}/image", "docker.io/Acme/digits:1")),
    ("pull policy", "pull-policy", put(f"{BOX}/imagePullPolicy", "always")),
    ("pull secret", "pull-secret", put("spec/imagePullSecrets", [{"name": "Acme_Docker"}])),
    ("no plan", "resource-plan", drop(f"{TRAIN}/metadata")),
    (
        "plan and instance type",
        "resource-plan",
        put(f"{TRAIN}/metadata/labels/ai.sap.com~instanceType", "g4"),
    ),
    ("unknown plan", "resource-plan", put(f"{TRAIN}/metadata/labels/ai.sap.com~resourcePlan", "train.xl")),
    ("plan at the wrong place", "resource-plan", put(f"{LABEL}/ai.sap.com~resourcePlan", "train.l")),
    ("root", "security-context", put(f"{TRAIN}/securityContext", {"runAsUser": 0})),
    ("root allowed", "security-context", put(f"{TRAIN}/securityContext", {"runAsNonRoot": False})),
    ("privileged", "security-context", put(f"{BOX}/securityContext", {"privileged": True})),
    (
        "capability",
        "security-context",
        put(f"{BOX}/securityContext", {"capabilities": {"add": ["NET_ADMIN"]}}),
    ),
    (
        "some capabilities kept",
        "security-context",
        put(f"{BOX}/securityContext", {"capabilities": {"drop": ["KILL"]}}),
    ),
    ("host network", "security-context", put("spec/hostNetwork", True)),
    ("two sidecars of one name", "duplicate-container", put(f"{TRAIN}/sidecars", [HELPER, HELPER])),
    ("set without main", "main-container", in_set("readable-a")),
    ("silent sidecar", "container-name", put(f"{TRAIN}/sidecars", [{**HELPER, "name": "helper"}])),
    ("variable twice", "duplicate-variable", variable("TRAINER_SEED", "1")),
    ("variable begins with a digit", "variable-name", variable("3D", "1")),
    ("variable as a number", "variable-value", variable("EPOCHS", 3)),
    (
        "variable of two minds",
        "variable-value",
        add(ENV, {"name": "A", "value": "b", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
    ),
    ("AI Core's variable", "reserved-variable", variable("AICORE_TRACKING_ENDPOINT", "http://here")),
    ("password", "secret-in-template", variable("DB_PASSWORD", "hunter2")),
    ("key in a URL", "secret-in-template", variable("SOURCE", "https://me:hunter2@example.com/x")),
    (
        "key in a command line",
        "secret-in-template",
        put(f"{BOX}/args", ["get https://me:hunter2@example.com"]),
    ),
    (
        "root in an inline template",
        "security-context",
        add(
            STEPS, [{"name": "in", "inline": {"container": {**HELPER, "securityContext": {"runAsUser": 0}}}}]
        ),
    ),
    (
        "secret as a default",
        "secret-in-template",
        all_of(
            put("spec/arguments/parameters/0/name", "apiKey"),
            put("spec/arguments/parameters/0/default", "hunter2"),
            put(f"{ENV}/0/value", "{{workflow.parameters.apiKey}}"),
        ),
    ),
    ("volume gone", "volume-mount", add(f"{BOX}/volumeMounts", {"name": "shm", "mountPath": "/dev/shm"})),
    ("volume twice", "duplicate-volume", put("spec/volumes", [{"name": "scratch", "emptyDir": {}}])),
    (
        "two mounts in one place",
        "mount-path",
        add(f"{BOX}/volumeMounts", {"name": "scratch", "mountPath": "/scratch"}),
    ),
    ("relative mount", "relative-mount", put(f"{BOX}/volumeMounts/0/mountPath", "scratch")),
    ("volume for nothing", "unused-volume", drop(f"{BOX}/volumeMounts")),
    ("claim without size", "volume-claim", drop("spec/volumeClaimTemplates/0/spec/resources")),
    (
        "claim of an odd size",
        "volume-claim",
        put("spec/volumeClaimTemplates/0/spec/resources", {"requests": {"storage": "100 GB"}}),
    ),
    ("retry policy", "retry-strategy", put(f"{TRAIN}/retryStrategy/retryPolicy", "onError")),
    ("negative limit", "retry-strategy", put(f"{TRAIN}/retryStrategy/limit", -1)),
    ("backoff in words", "retry-strategy", put(f"{TRAIN}/retryStrategy/backoff/duration", "a while")),
    ("backoff to nothing", "retry-strategy", put(f"{TRAIN}/retryStrategy/backoff/factor", 0)),
    ("deadline gone by", "deadline", put("spec/activeDeadlineSeconds", 0)),
    ("deadline on steps", "deadline", put("spec/templates/0/activeDeadlineSeconds", 60)),
    ("timeout without unit", "deadline", put(f"{TRAIN}/timeout", "30")),
    ("no deadline", "missing-deadline", drop("spec/activeDeadlineSeconds")),
]


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
