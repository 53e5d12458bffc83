"""Rendering: golden files, the same bytes everywhere, and nothing wrong ever leaves."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hera.workflows.models import WorkflowTemplate

from generator.catalog import Workflow
from generator.errors import InputError
from generator.project import load_project
from generator.render import render, template_path
from generator.spec.resolve import Resolved, resolve

VALID = Path(__file__).parent / "testdata" / "valid"
CASES = [
    ("meter-reading", "local"),
    ("everything", "cloud"),
    ("everything", "laptop"),
    ("places", "dev"),
    ("places", "staging"),
    ("places", "prod"),
]
DIGESTS = """
import hashlib, sys
from pathlib import Path
from generator.catalog import load_catalog
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import resolve
catalog = load_catalog()
files = render(resolve(load_project(Path(sys.argv[1]), catalog), sys.argv[2], catalog))
print(hashlib.sha256(b"".join(path.encode() + content for path, content in files.items())).hexdigest())
"""


@pytest.mark.parametrize(("case", "environment"), CASES)
def test_rendered_files_are_the_golden_files(
    case: str, environment: str, catalog: Mapping[str, Workflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bytes, as data, and WorkflowTemplates as models too; there is no file more and no file less."""
    monkeypatch.setattr("generator.render.tool_version", lambda: "golden")
    folder = VALID / case
    files = render(resolve(load_project(folder, catalog), environment, catalog))
    golden = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "rendered" / environment).rglob("*")
        if path.is_file()
    }
    assert files == golden
    for path in (path for path in files if "/templates/" in path):
        document, expected = (yaml.safe_load(side[path]) for side in (files, golden))
        assert document == expected
        if document["kind"] == "WorkflowTemplate":
            models = [WorkflowTemplate.model_validate(item, extra="forbid") for item in (document, expected)]
            assert models[0] == models[1]


@pytest.mark.parametrize(("case", "environment"), CASES)
def test_bytes_do_not_depend_on_hash_seed_locale_or_time_zone(
    case: str, environment: str, catalog: Mapping[str, Workflow]
) -> None:
    """A second interpreter under other circumstances writes the same bytes."""
    files = render(resolve(load_project(VALID / case, catalog), environment, catalog))
    here = hashlib.sha256(b"".join(path.encode() + content for path, content in files.items())).hexdigest()
    variables = {**os.environ, "PYTHONHASHSEED": "4711", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}
    command = [sys.executable, "-c", DIGESTS, str(VALID / case), environment]
    there = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()
    assert there == here


def test_order_of_keys_and_comments_change_no_byte(project: Path, catalog: Mapping[str, Workflow]) -> None:
    """The spec's maps shuffled and rewritten without comments render alike, ten times."""
    before = render(resolve(load_project(project, catalog), "local", catalog))
    spec = project / "specs" / "meter-reading.yaml"
    generator = random.Random(7)
    for _ in range(10):
        spec.write_text(
            yaml.safe_dump(_shuffled(yaml.safe_load(spec.read_text()), generator), sort_keys=False)
        )
        assert render(resolve(load_project(project, catalog), "local", catalog)) == before


def _shuffled(value: Any, generator: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, _shuffled(item, generator)) for key, item in value.items()]
        return dict(generator.sample(items, len(items)))
    return value


def test_a_learning_rate_changes_no_rendered_file(project: Path, catalog: Mapping[str, Workflow]) -> None:
    """Templates hold no configuration, so a change of parameters needs no new commit of `rendered/`."""
    before = render(resolve(load_project(project, catalog), "local", catalog))
    spec = project / "specs" / "meter-reading.yaml"
    spec.write_text(spec.read_text().replace("base_learning_rate: 0.001", "base_learning_rate: 0.01"))
    assert render(resolve(load_project(project, catalog), "local", catalog)) == before


def test_only_templates_lie_in_the_folder_that_ai_core_follows(files: dict[str, bytes]) -> None:
    inside = [path for path in files if path.startswith("rendered/local/templates/")]
    assert inside == [template_path("local", "digit-detection")]
    assert all(
        content.startswith(b"# Rendered by corespec from specs/meter-reading.yaml;")
        for path, content in files.items()
        if not path.endswith((".json", "/requirements.txt"))  # equal ones share a layer of the image
    )


def test_every_parameter_travels_through_the_environment(
    template: dict[str, Any], catalog: Mapping[str, Workflow]
) -> None:
    """As `TRAINER_<NAME>`, and never inside of the command line."""
    container = template["spec"]["templates"][1]["container"]
    expected = {
        f"TRAINER_{name.upper()}": f"{{{{workflow.parameters.{name}}}}}"
        for name in catalog["object-detection-train"].parameters
    }
    assert {item["name"]: item["value"] for item in container["env"]} == expected
    assert "{{" not in "".join(container["args"])


def test_the_manifest_names_inputs_outputs_and_fingerprints(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["rendered/local/manifest.json"])
    others = {path: content for path, content in files.items() if not path.endswith("manifest.json")}
    assert manifest["files"] == {
        path: hashlib.sha256(content).hexdigest() for path, content in others.items()
    }
    assert list(manifest["inputs"]) == ["specs/meter-reading.yaml"]
    assert list(manifest["templates"]) == [template_path("local", "digit-detection")]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("template.yaml.j2", "kind: << unknown_value >>\n", "template-syntax"),
        ("template.yaml.j2", "kind: [\n", "template-syntax"),
        ("template.yaml.j2", "kind: WorkflowTemplate\n", "template-kind"),
        ("template.yaml.j2", "<< ''.__class__.__mro__ >>\n", "template-syntax"),
        ("Dockerfile.j2", "FROM << nothing >>\n", "template-syntax"),
    ],
)
def test_a_bad_catalogue_text_is_a_finding_at_the_rendered_path(
    name: str, text: str, code: str, resolved: Resolved
) -> None:
    """Unknown names, broken YAML, an escape from the sandbox: nothing is rendered, the file is named."""
    import dataclasses

    (executable,) = resolved.executables
    workflow = executable.workflow.model_copy(update={"texts": {**executable.workflow.texts, name: text}})
    spoiled = dataclasses.replace(resolved, executables=(dataclasses.replace(executable, workflow=workflow),))
    with pytest.raises(InputError) as caught:
        render(spoiled)
    assert [item.code for item in caught.value.diagnostics] == [code]
    assert caught.value.diagnostics[0].path.startswith("rendered/local/")


def test_values_cannot_become_syntax(project: Path, catalog: Mapping[str, Workflow]) -> None:
    """A title full of YAML, Jinja, Argo and Dockerfile syntax stays one string."""
    title = "a: {b} # << x >> {{workflow.uid}} \\\" 'c' %> $(id) `id`"
    spec = project / "specs" / "meter-reading.yaml"
    spec.write_text(spec.read_text().replace("title: Digit detection", f"title: {json.dumps(title)}"))
    files = render(resolve(load_project(project, catalog), "local", catalog))
    document = yaml.safe_load(files[template_path("local", "digit-detection")])
    assert document["metadata"]["annotations"]["executables.ai.sap.com/name"] == title


def test_the_image_runs_as_nobody_and_holds_the_trainer_only(files: dict[str, bytes]) -> None:
    recipe = files["rendered/local/images/digit-detection/Dockerfile"].decode()
    packages = files["rendered/local/images/digit-detection/requirements.txt"].decode().splitlines()
    assert "USER 65534:65534" in recipe
    copied = [line.split()[-2] for line in recipe.splitlines() if line.startswith("COPY")]
    assert copied == ["requirements.txt", "wheels/", "/opt/packages", "trainer/"]
    pinned = [line for line in packages if line and not line.startswith(("#", " "))]
    assert pinned
    assert all("==" in line for line in pinned)
    assert "\n".join(packages).count("--hash=sha256:") >= len(pinned)
