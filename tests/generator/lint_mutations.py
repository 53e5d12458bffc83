"""Faults of WorkflowTemplates: what is wrong, the code that must say so, and how to make it so."""

from __future__ import annotations

from typing import Any

from tests.generator.lint_spoil import Spoil, add, all_of, drop, place, put

Json = dict[str, Any]
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
