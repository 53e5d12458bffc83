"""Lint of ServingTemplates: a good one spoiled, in the document and in the texts inside of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from generator.lint import errors, lint, lint_file
from tests.generator.lint_examples import dump, serving_template
from tests.generator.lint_spoil import Spoil, add, all_of, drop, put

Json = dict[str, Any]
PATH = "serve.yaml"
NOTES = "metadata/annotations"
BOX = "predictor/containers/0"
PARAMETERS, ARTIFACTS = "spec/inputs/parameters", "spec/inputs/artifacts"


def _inside(*where: str) -> Callable[..., Spoil]:
    """Spoil one of the texts: parsed, spoiled, and written again."""

    def within(*spoils: Spoil) -> Spoil:
        def spoil(document: Json) -> None:
            holder = document["spec"]["template"]
            for step in where[:-1]:
                holder = holder[step]
            inner = yaml.safe_load(holder[where[-1]])
            all_of(*spoils)(inner)
            holder[where[-1]] = dump(inner)

        return spoil

    return within


in_spec, in_labels, in_notes = (
    _inside("spec"),
    _inside("metadata", "labels"),
    _inside("metadata", "annotations"),
)


def text(path: str, old: str, new: str) -> Spoil:
    """Replace a piece of one of the texts as it stands."""

    def spoil(document: Json) -> None:
        holder = document["spec"]["template"]
        *steps, key = path.split("/")
        for step in steps:
            holder = holder[step]
        assert old in holder[key]
        holder[key] = holder[key].replace(old, new)

    return spoil


def variable(name: str, value: Any) -> Spoil:
    return in_spec(add(f"{BOX}/env", {"name": name, "value": value}))


MUTATIONS: list[tuple[str, str, Spoil]] = [
    ("wrong API version", "template-kind", put("apiVersion", "ai.sap.com/v1")),
    ("unknown field outside", "template-schema", put("spec/replicas", 1)),
    ("unknown field of an input", "template-schema", put(f"{ARTIFACTS}/0/path", "/mnt")),
    (
        "other InferenceService",
        "template-schema",
        put("spec/template/apiVersion", "serving.kubeflow.org/v1alpha2"),
    ),
    ("unknown field inside", "template-schema", in_spec(put("predictor/replicas", 1))),
    ("unknown field of the container", "template-schema", in_spec(put(f"{BOX}/imagePullSecret", "x"))),
    ("no predictor", "template-schema", text("spec", "predictor:", "predict:")),
    ("replicas as text", "template-schema", in_spec(put("predictor/minReplicas", "1"))),
    ("no container", "template-schema", in_spec(put("predictor/containers", []))),
    ("spec as a mapping", "serving-text", put("spec/template/spec", {"predictor": {}})),
    ("spec that is no YAML", "serving-text", text("spec", "predictor:", "predictor: [")),
    ("labels that are no mapping", "serving-text", put("spec/template/metadata/labels", "infer.s\n")),
    (
        "key twice inside",
        "serving-text",
        text("spec", "  minReplicas: 1\n", "  minReplicas: 1\n  minReplicas: 1\n"),
    ),
    ("statements", "serving-logic", text("metadata/labels", "infer.s", "{% if x %}infer.s{% endif %}")),
    ("illegal name", "executable-name", put("metadata/name", "Reader")),
    ("no scenario", "scenario-label", drop("metadata/labels/scenarios.ai.sap.com~id")),
    ("no version", "version-label", drop("metadata/labels/ai.sap.com~version")),
    ("no name", "name-annotation", drop(f"{NOTES}/executables.ai.sap.com~name")),
    ("illegal label inside", "label-value", in_labels(put("team", "a b"))),
    (
        "hyphen in an artifact",
        "serving-artifact-name",
        all_of(add(ARTIFACTS, {"name": "corner-model"}), variable("X", "{{inputs.artifacts.corner-model}}")),
    ),
    ("artifact twice", "duplicate-artifact", add(ARTIFACTS, {"name": "trainedmodels"})),
    ("no parameter", "serving-parameters", all_of(drop(PARAMETERS), in_spec(drop(f"{BOX}/env/1")))),
    ("parameter as a number", "parameter-type", put(f"{PARAMETERS}/0/type", "integer")),
    ("default as a number", "parameter-value", put(f"{PARAMETERS}/0/default", 3)),
    ("parameter twice", "duplicate-parameter", add(PARAMETERS, {"name": "loglevel"})),
    ("parameter unread", "unused-parameter", add(PARAMETERS, {"name": "threads"})),
    ("parameter undeclared", "unresolved-reference", variable("X", "{{inputs.parameters.threads}}")),
    ("Argo's reference", "unresolved-reference", variable("X", "{{workflow.parameters.loglevel}}")),
    (
        "undeclared in a label",
        "unresolved-reference",
        in_labels(put("ai.sap.com~resourcePlan", "{{inputs.parameters.plan}}")),
    ),
    ("artifact unread", "unused-artifact", add(ARTIFACTS, {"name": "labels"})),
    (
        "annotation of no artifact",
        "artifact-annotation",
        put(f"{NOTES}/artifacts.ai.sap.com~model.kind", "model"),
    ),
    ("unknown kind", "artifact-kind", put(f"{NOTES}/artifacts.ai.sap.com~trainedmodels.kind", "modell")),
    ("artifact labels", "artifact-labels", put(f"{NOTES}/artifacts.ai.sap.com~trainedmodels.labels", "[]")),
    ("cascade", "cascade-update", put(f"{NOTES}/executables.ai.sap.com~cascade-update-deployments", "yes")),
    ("no plan", "resource-plan", in_labels(put("team", "vision"), drop("ai.sap.com~resourcePlan"))),
    ("no labels", "resource-plan", drop("spec/template/metadata/labels")),
    ("plan outside", "resource-plan", in_labels(put("ai.sap.com~instanceType", "g4dn.xlarge"))),
    ("unknown plan", "resource-plan", in_labels(put("ai.sap.com~resourcePlan", "infer.xl"))),
    ("other container", "serving-container", in_spec(put(f"{BOX}/name", "server"))),
    ("old container", "old-container-name", in_spec(put(f"{BOX}/name", "kfserving-container"))),
    ("port too high", "serving-port", in_spec(put(f"{BOX}/ports/0/containerPort", 70000))),
    ("two ports", "serving-port", in_spec(add(f"{BOX}/ports", {"containerPort": 9002}))),
    ("no port", "missing-port", in_spec(drop(f"{BOX}/ports"))),
    (
        "model from elsewhere",
        "storage-uri",
        in_spec(put(f"{BOX}/env/0/value", "s3://x/{{inputs.artifacts.trainedmodels}}")),
    ),
    ("model under another name", "storage-uri", in_spec(put(f"{BOX}/env/0/name", "MODEL_URI"))),
    ("image moves", "image-pinned", in_spec(put(f"{BOX}/image", "docker.io/acme/digit-reader:latest"))),
    ("image by parameter", "image-pinned", in_spec(put(f"{BOX}/image", "{{inputs.parameters.loglevel}}"))),
    ("image without host", "image-host", in_spec(put(f"{BOX}/image", "acme/digit-reader:1"))),
    ("no image", "image-reference", in_spec(drop(f"{BOX}/image"))),
    ("pull secret", "pull-secret", in_spec(put("predictor/imagePullSecrets/0/name", "Acme_Docker"))),
    ("more low than high", "replicas", in_spec(put("predictor/minReplicas", 4))),
    ("less than none", "replicas", in_spec(put("predictor/minReplicas", -1))),
    ("none at most", "replicas", in_spec(put("predictor/minReplicas", 0), put("predictor/maxReplicas", 0))),
    ("unknown annotation", "autoscaling", in_notes(put("autoscaling.knative.dev~metrics", "rps"))),
    ("unknown metric", "autoscaling", in_notes(put("autoscaling.knative.dev~metric", "requests"))),
    ("target in words", "autoscaling", in_notes(put("autoscaling.knative.dev~target", "one"))),
    ("window without unit", "autoscaling", in_notes(put("autoscaling.knative.dev~window", 60))),
    ("root", "security-context", in_spec(put(f"{BOX}/securityContext", {"runAsUser": 0}))),
    ("root pod", "security-context", in_spec(put("predictor/securityContext", {"runAsNonRoot": False}))),
    (
        "capability",
        "security-context",
        in_spec(put(f"{BOX}/securityContext", {"capabilities": {"add": ["SYS_ADMIN"]}})),
    ),
    ("host network", "security-context", in_spec(put("predictor/hostNetwork", True))),
    ("password", "secret-in-template", variable("DB_PASSWORD", "hunter2")),
    (
        "secret as a default",
        "secret-in-template",
        put(f"{PARAMETERS}/0/default", "https://me:hunter2@example.com"),
    ),
    ("variable twice", "duplicate-variable", variable("LOGLEVEL", "3")),
    ("variable as a number", "variable-value", variable("THREADS", 3)),
    ("variable begins with a digit", "variable-name", variable("3D", "1")),
]


def test_the_template_of_the_page_is_good() -> None:
    """Nothing to find: neither errors nor warnings, however strict."""
    assert lint(serving_template(), PATH, strict=True) == []


@pytest.mark.parametrize(
    ("code", "spoil"), [item[1:] for item in MUTATIONS], ids=[item[0] for item in MUTATIONS]
)
def test_a_spoiled_template_is_caught_by_its_rule_alone(code: str, spoil: Spoil) -> None:
    """Every finding of a single fault bears its code, names a field, and repeats no secret."""
    document = serving_template()
    spoil(document)
    found = lint(document, PATH)
    assert {item.code for item in found} == {code}
    assert all(item.path == PATH and ": " in item.message and "hunter2" not in item.message for item in found)


def test_references_may_stand_where_numbers_belong() -> None:
    """AI Core fills the texts before it reads them as YAML: `minReplicas: {{…}}` is how SAP writes it."""
    document = serving_template()
    add(PARAMETERS, {"name": "low", "default": "1"}, {"name": "goal"}, {"name": "port"})(document)
    text("spec", "minReplicas: 1", "minReplicas: {{inputs.parameters.low}}")(document)
    text("spec", "containerPort: 53547", "containerPort: {{ inputs.parameters.port }}")(document)
    text("metadata/annotations", "target: 1", "target: {{inputs.parameters.goal}}")(document)
    assert lint(document, PATH) == []


def test_one_dummy_parameter_is_good() -> None:
    """AI Core expects at least one; SAP's advice is a dummy."""
    document = serving_template()
    in_spec(drop(f"{BOX}/env/1"))(document)
    assert lint(document, PATH) == []


def test_findings_inside_of_a_text_point_at_their_line() -> None:
    """The line and column of the file, not of the text."""
    document = serving_template()
    in_spec(put(f"{BOX}/image", "docker.io/acme/reader:latest"), put("predictor/maxReplicas", 0))(document)
    written = dump(document)
    lines = written.splitlines()
    found = {item.code: item for item in lint_file(PATH, written.encode())}
    assert (
        lines[found["image-pinned"].line - 1][found["image-pinned"].column - 1 :]
        == "docker.io/acme/reader:latest"
    )
    assert lines[found["replicas"].line - 1].strip() == "maxReplicas: 0"


def test_a_text_that_is_no_yaml_points_at_its_fault() -> None:
    document = serving_template()
    text("spec", "minReplicas: 1", "minReplicas: 1\n  minReplicas: 2")(document)
    written = dump(document)
    (found,) = lint_file(PATH, written.encode())
    assert written.splitlines()[found.line - 1].strip() == "minReplicas: 2"
    assert "line 5 of the text" in found.message


def test_a_fault_behind_a_reference_is_in_its_column() -> None:
    """References are longer than what fills them; columns are those of the file all the same."""
    document = serving_template()
    text("spec", "maxReplicas: 3", 'maxReplicas: 3\n  timeout: {a: "{{inputs.parameters.loglevel}}", b: 1}')(
        document
    )
    written = dump(document)
    (found,) = lint_file(PATH, written.encode())
    assert written.splitlines()[found.line - 1][found.column - 1 :].startswith('{a: "{{')


# A completed minimal form of SAP's own example (ai-core-samples: house-price-server).
HOUSES: Json = {
    "apiVersion": "ai.sap.com/v1alpha1",
    "kind": "ServingTemplate",
    "metadata": {
        "name": "price-server",
        "annotations": {
            "scenarios.ai.sap.com/name": "House prices",
            "executables.ai.sap.com/name": "server",
            "artifacts.ai.sap.com/pricemodel.kind": "model",
        },
        "labels": {"scenarios.ai.sap.com/id": "house-prices", "ai.sap.com/version": "1.0"},
    },
    "spec": {
        "inputs": {
            "artifacts": [{"name": "pricemodel"}],
            "parameters": [{"name": "greeting", "type": "string"}],
        },
        "template": {
            "apiVersion": "serving.kserve.io/v1beta1",
            "metadata": {
                "annotations": "autoscaling.knative.dev/metric: rps\nautoscaling.knative.dev/target: 1\n"
                "autoscaling.knative.dev/targetBurstCapacity: 0\n",
                "labels": "ai.sap.com/resourcePlan: starter\n",
            },
            "spec": """predictor:
  imagePullSecrets:
    - name: mysecret
  minReplicas: 1
  maxReplicas: 5
  containers:
  - name: kfserving-container
    image: "docker.io/somebody/house-server:01"
    ports:
      - containerPort: 9001
        protocol: TCP
    command: ["/bin/sh", "-c"]
    args:
      - "gunicorn --chdir /app/src main:app -b 0.0.0.0:9001"
    env:
      - name: STORAGE_URI
        value: "{{inputs.artifacts.pricemodel}}"
      - name: greeting
        value: "{{inputs.parameters.greeting}}"
""",
        },
    },
}


def without_inputs(document: Json) -> None:
    """As SAP's tutorial on serving language models has it: no inputs at all, the pull secret outside too."""
    del document["spec"]["inputs"]
    del document["metadata"]["annotations"]["artifacts.ai.sap.com/pricemodel.kind"]
    in_spec(drop(f"{BOX}/env"), put(f"{BOX}/name", "kserve-container"))(document)
    document["spec"]["imagePullSecrets"] = [{"name": "mysecret"}]


@pytest.mark.parametrize(
    ("change", "codes"),
    [(lambda document: None, {"old-container-name"}), (without_inputs, {"serving-parameters"})],
    ids=["house prices", "no inputs"],
)
def test_templates_in_the_manner_of_sap_have_warnings_only(change: Spoil, codes: set[str]) -> None:
    """AI Core runs them; corespec would not have written them so, and a rendered one would be refused."""
    document = copy.deepcopy(HOUSES)
    change(document)
    found = lint(document, PATH)
    assert {item.code for item in found} == codes
    assert errors(found) == []
    assert {item.code for item in errors(lint(document, PATH, strict=True))} == codes
