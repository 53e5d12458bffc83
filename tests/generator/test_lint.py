"""Lint: a good template spoiled in every way that AI Core or Argo would punish; each caught by its code."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.lint import lint, lint_file
from generator.linting.flow import find_cycle

Json = dict[str, Any]
Spoil = Callable[[Json], object]
PATH = "rendered/local/templates/digit-detection.yaml"
DOCS = Path(__file__).parents[2] / "docs" / "lint.md"


def labels(document: Json) -> Json:
    result: Json = document["metadata"]["labels"]
    return result


def annotations(document: Json) -> Json:
    result: Json = document["metadata"]["annotations"]
    return result


def train(document: Json) -> Json:
    result: Json = document["spec"]["templates"][1]
    return result


def container(document: Json) -> Json:
    result: Json = train(document)["container"]
    return result


def pod_labels(document: Json) -> Json:
    result: Json = train(document)["metadata"]["labels"]
    return result


def output(document: Json) -> Json:
    result: Json = train(document)["outputs"]["artifacts"][0]
    return result


def add_env(name: str, value: str) -> Spoil:
    return lambda d: container(d)["env"].append({"name": name, "value": value})


def dag(*tasks: Json) -> Spoil:
    return lambda d: d["spec"]["templates"].__setitem__(0, {"name": "main", "dag": {"tasks": list(tasks)}})


MUTATIONS: list[tuple[str, str, Spoil]] = [
    ("unknown field of the spec", "template-schema", lambda d: d["spec"].update({"entryPoint": "main"})),
    (
        "unknown field of a container",
        "template-schema",
        lambda d: container(d).update({"imagePullSecret": "x"}),
    ),
    ("wrong type", "template-schema", lambda d: d["spec"].update({"templates": "none"})),
    ("wrong kind", "template-kind", lambda d: d.update({"kind": "Workflow"})),
    ("wrong API version", "template-kind", lambda d: d.update({"apiVersion": "argoproj.io/v1"})),
    ("illegal name", "executable-name", lambda d: d["metadata"].update({"name": "Digit_Detection"})),
    ("no scenario", "scenario-label", lambda d: labels(d).pop("scenarios.ai.sap.com/id")),
    ("no version", "version-label", lambda d: labels(d).pop("ai.sap.com/version")),
    ("version as a number", "label-value", lambda d: labels(d).update({"ai.sap.com/version": "1 beta"})),
    ("illegal label key", "label-value", lambda d: labels(d).update({"-x": "y"})),
    ("no scenario name", "name-annotation", lambda d: annotations(d).pop("scenarios.ai.sap.com/name")),
    ("no executable name", "name-annotation", lambda d: annotations(d).pop("executables.ai.sap.com/name")),
    (
        "long name",
        "annotation-value",
        lambda d: annotations(d).update({"executables.ai.sap.com/name": "x" * 257}),
    ),
    ("entrypoint gone", "entrypoint", lambda d: d["spec"].update({"entrypoint": "mian"})),
    (
        "two templates of one name",
        "duplicate-template",
        lambda d: d["spec"]["templates"].append(copy.deepcopy(train(d))),
    ),
    (
        "step calls nothing",
        "unknown-template",
        lambda d: d["spec"]["templates"][0]["steps"][0][0].update({"template": "trian"}),
    ),
    (
        "step twice",
        "duplicate-step",
        lambda d: d["spec"]["templates"][0]["steps"].append([{"name": "train", "template": "train"}]),
    ),
    (
        "template nobody calls",
        "unused-template",
        lambda d: d["spec"]["templates"].append({**copy.deepcopy(train(d)), "name": "other", "outputs": {}}),
    ),
    ("dependency gone", "unknown-dependency", dag({"name": "a", "template": "train", "dependencies": ["b"]})),
    (
        "tasks wait for each other",
        "cycle",
        dag(
            {"name": "a", "template": "train", "dependencies": ["b"]},
            {"name": "b", "template": "train", "dependencies": ["a"]},
        ),
    ),
    (
        "template calls itself",
        "cycle",
        lambda d: d["spec"]["templates"][0]["steps"].append([{"name": "again", "template": "main"}]),
    ),
    ("parameter undeclared", "unresolved-reference", add_env("X", "{{workflow.parameters.batchsize}}")),
    ("input undeclared", "unresolved-reference", add_env("X", "{{inputs.artifacts.data.path}}")),
    ("step unknown", "unresolved-reference", add_env("X", "{{steps.prepare.outputs.result}}")),
    ("scope unknown", "unresolved-reference", add_env("X", "{{parameters.seed}}")),
    ("workflow field unknown", "unresolved-reference", add_env("X", "{{workflow.nam}}")),
    ("parameter unread", "unused-parameter", lambda d: container(d)["env"].pop(0)),
    (
        "parameter twice",
        "duplicate-parameter",
        lambda d: d["spec"]["arguments"]["parameters"].append({"name": "seed", "default": "1"}),
    ),
    (
        "default too long",
        "parameter-value",
        lambda d: d["spec"]["arguments"]["parameters"][0].update({"default": "x" * 5001}),
    ),
    (
        "parameter in the shell",
        "parameter-in-shell",
        lambda d: container(d).update({"args": ["train {{workflow.parameters.seed}}"]}),
    ),
    ("artifact without path", "artifact-path", lambda d: train(d)["inputs"]["artifacts"][0].pop("path")),
    ("relative path", "artifact-path", lambda d: output(d).update({"path": "tmp/model"})),
    ("trailing slash", "artifact-path", lambda d: output(d).update({"path": "/tmp/model/"})),
    ("two artifacts in one folder", "artifact-path", lambda d: output(d).update({"path": "/tmp/datain"})),
    ("illegal artifact name", "artifact-name", lambda d: output(d).update({"name": "trained model"})),
    (
        "artifact twice",
        "duplicate-artifact",
        lambda d: train(d)["inputs"]["artifacts"].append({"name": "datain", "path": "/tmp/b"}),
    ),
    ("output without global name", "output-global-name", lambda d: output(d).pop("globalName")),
    ("output packed", "artifact-archive", lambda d: output(d).pop("archive")),
    (
        "artifact without kind",
        "artifact-kind",
        lambda d: annotations(d).pop("artifacts.ai.sap.com/datain.kind"),
    ),
    (
        "unknown kind",
        "artifact-kind",
        lambda d: annotations(d).update({"artifacts.ai.sap.com/trainedmodel.kind": "modell"}),
    ),
    (
        "annotation of no artifact",
        "artifact-kind",
        lambda d: annotations(d).update({"artifacts.ai.sap.com/model.kind": "model"}),
    ),
    ("no shell", "container-command", lambda d: container(d).update({"command": ["python"]})),
    ("several arguments", "container-command", lambda d: container(d)["args"].append("x")),
    ("image unpinned", "image-pinned", lambda d: container(d).update({"image": "docker.io/acme/digits"})),
    ("image moves", "image-pinned", lambda d: container(d).update({"image": "docker.io/acme/digits:latest"})),
    ("image without host", "image-pinned", lambda d: container(d).update({"image": "acme/digits:1"})),
    ("pull policy", "pull-policy", lambda d: container(d).update({"imagePullPolicy": "always"})),
    (
        "pull secret",
        "pull-secret",
        lambda d: d["spec"].update({"imagePullSecrets": [{"name": "Acme_Docker"}]}),
    ),
    ("no plan", "resource-plan", lambda d: pod_labels(d).clear()),
    (
        "plan and instance type",
        "resource-plan",
        lambda d: pod_labels(d).update({"ai.sap.com/instanceType": "g4"}),
    ),
    (
        "unknown plan",
        "resource-plan",
        lambda d: pod_labels(d).update({"ai.sap.com/resourcePlan": "train.xl"}),
    ),
    (
        "plan at the wrong place",
        "resource-plan",
        lambda d: labels(d).update({"ai.sap.com/resourcePlan": "train.l"}),
    ),
    ("root", "security-context", lambda d: train(d)["securityContext"].update({"runAsUser": 0})),
    (
        "root allowed",
        "security-context",
        lambda d: train(d)["securityContext"].update({"runAsNonRoot": False}),
    ),
    (
        "privileged",
        "security-context",
        lambda d: container(d).update({"securityContext": {"privileged": True}}),
    ),
    (
        "capability",
        "security-context",
        lambda d: container(d).update({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}),
    ),
    (
        "some capabilities kept",
        "security-context",
        lambda d: container(d).update({"securityContext": {"capabilities": {"drop": ["KILL"]}}}),
    ),
    ("host network", "security-context", lambda d: d["spec"].update({"hostNetwork": True})),
    ("variable twice", "duplicate-variable", add_env("TRAINER_SEED", "1")),
    ("password", "secret-in-template", add_env("DB_PASSWORD", "hunter2")),
    ("key in a URL", "secret-in-template", add_env("SOURCE", "https://me:hunter2@example.com/x")),
    ("volume gone", "volume-mount", lambda d: train(d).pop("volumes")),
    (
        "silent sidecar",
        "container-name",
        lambda d: train(d).update({"sidecars": [{**copy.deepcopy(container(d)), "name": "helper"}]}),
    ),
    (
        "set without main",
        "container-name",
        lambda d: train(d).update(
            {"containerSet": {"containers": [{**train(d).pop("container"), "name": "readable-a"}]}}
        ),
    ),
]


def test_the_rendered_template_is_good(template: Json) -> None:
    assert lint(template, PATH) == []


@pytest.mark.parametrize(
    ("code", "spoil"), [item[1:] for item in MUTATIONS], ids=[item[0] for item in MUTATIONS]
)
def test_a_spoiled_template_is_caught_by_its_rule(code: str, spoil: Spoil, template: Json) -> None:
    """Every finding of a single fault names a field and repeats no secret."""
    spoil(template)
    found = lint(template, PATH)
    assert code in {item.code for item in found}
    assert all(item.path == PATH and ": " in item.message and "hunter2" not in item.message for item in found)


@pytest.mark.parametrize(
    "reference",
    [
        "{{workflow.name}}",
        "{{ workflow.parameters.seed }}",
        "{{workflow.labels.x}}",
        "{{item}}",
        "{{pod.name}}",
        "{{inputs.artifacts.datain.path}}",
        "{{outputs.artifacts.trainedmodel.path}}",
        "{{retries}}",
    ],
)
def test_references_that_argo_resolves_are_good(reference: str, template: Json) -> None:
    container(template)["env"].append({"name": "X", "value": reference})
    assert lint(template, PATH) == []


def test_artifacts_fed_by_another_step_are_internal(template: Json) -> None:
    """An input with `from` is no artifact of the executable, so it needs no kind."""
    train(template)["inputs"]["artifacts"].append(
        {"name": "prepared", "path": "/tmp/p", "from": "{{workflow.outputs.artifacts.x}}"}
    )
    assert lint(template, PATH) == []


def test_a_secret_reference_is_no_secret(template: Json) -> None:
    source = {"secretKeyRef": {"name": "database", "key": "password"}}
    container(template)["env"].append({"name": "DB_PASSWORD", "valueFrom": source})
    assert lint(template, PATH) == []


def test_findings_in_a_file_have_lines_and_columns(template: Json) -> None:
    template["spec"]["entrypoint"] = "mian"
    text = yaml.safe_dump(template, sort_keys=False)
    (found,) = (item for item in lint_file(PATH, text.encode()) if item.code == "entrypoint")
    line = text.splitlines()[found.line - 1]
    assert line[found.column - 1 :] == "mian"


def test_a_file_that_is_no_yaml_is_a_finding() -> None:
    assert [item.code for item in lint_file(PATH, b"a: [")] == ["yaml-syntax"]


def test_cycles_are_found_and_named() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert find_cycle({"a": ["a"]}) == ["a", "a"]
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []


def test_every_code_is_tested_and_explained() -> None:
    """docs/lint.md has a section for each code, with a good and a bad example, and no other."""
    folder = Path(__file__).parents[2] / "generator"
    calls = [
        node
        for source in (folder / "lint.py", *(folder / "linting").glob("*.py"))
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]
    codes = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    sections = re.split(r"^### `", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    explained = {section.split("`")[0] for section in sections}
    tested = {code for _, code, _ in MUTATIONS}
    assert explained == tested
    assert codes == explained
    assert all("Bad:" in section and "Good:" in section for section in sections)
