"""`adopt`, `observe` and `artifacts` in the spec language: what is legal, and what is said about the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow
from generator.errors import InputError
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import Resolved, resolve

PLACE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {name: local}
aiCore: {connection: local}
objectStores: {default: {type: directory, path: objects}}
git: {url: url, repository: gitops, application: meters}
"""
SPEC = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {name: meters}
executables:
  digits: {workflow: object-detection-train, image: "docker.io/acme/digits:1", resourcePlan: starter}
artifacts:
  rough: {kind: dataset, id: 5c1e7a2e-0a3f}
  model: {kind: model, url: "ai://default/e1/model"}
configurations:
  ours: {executable: digits, inputs: {datain: rough}}
  theirs:
    executable: anybody-s
    adopt: {id: 0b0f8d51-5d2c}
    observe: true
    inputs: {data: rough}
    parameters: {rate: 1e-3, on: yes, words: [a, 1], flag: true}
executions:
  theirs: {configuration: theirs}
"""


SERVER = "{executable: x-server, adopt: {id: d123, content: 0123456789ab}, observe: true}"


def _resolve(root: Path, catalog: Mapping[str, Workflow], spec: str) -> Resolved:
    (root / "specs" / "environments").mkdir(parents=True)
    (root / "specs" / "meters.yaml").write_text(spec)
    (root / "specs" / "environments" / "local.yaml").write_text(PLACE)
    return resolve(load_project(root, catalog), "local", catalog)


def test_what_is_observed_needs_no_workflow_and_is_taken_as_it_is_written(
    tmp_path: Path, catalog: Mapping[str, Workflow]
) -> None:
    """Its parameters are texts of somebody else's template; nothing is rendered for its executable."""
    resolved = _resolve(tmp_path, catalog, SPEC)
    theirs = next(one for one in resolved.configurations if one.name == "theirs")
    assert theirs.parameters == {"rate": "1e-3", "on": "yes", "words": '["a", 1]', "flag": "True"}
    assert theirs.observe
    assert [one.name for one in resolved.artifacts] == ["model", "rough"]
    assert not any("anybody-s" in path for path in render(resolved))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("    observe: true\n", "", "unknown-executable"),
        ("    adopt: {id: 0b0f8d51-5d2c}\n", "", "observe"),
        ("    inputs: {data: rough}", "    matrix: {rate: [1, 2]}", "adopt_family"),
        ("id: 5c1e7a2e-0a3f", "id: 5c1e7a2e-0a3f, url: 'ai://a/b'", "artifact_reference"),
        ("id: 5c1e7a2e-0a3f", "description: x", "artifact_reference"),
        ("id: 0b0f8d51-5d2c", "id: 'a b'", "illegal_value"),
        ("{id: 0b0f8d51-5d2c}", "{id: 0b0f8d51-5d2c, content: 12}", "illegal_value"),
        ("datain: rough", "datain: model", "artifact-kind"),
        ("datain: rough", "datain: rouhg", "unknown-dataset"),
        ("configurations:\n", "datasets: {rough: {source: d, path: p}}\nconfigurations:\n", "duplicate-name"),
        ("executions:\n", f"deployments: {{s: {SERVER}}}\nexecutions:\n", "adopt_content"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    tmp_path: Path, catalog: Mapping[str, Workflow], before: str, after: str, code: str
) -> None:
    """One finding with its own code, in the file, with the field."""
    assert before in SPEC
    with pytest.raises(InputError) as raised:
        _resolve(tmp_path, catalog, SPEC.replace(before, after))
    assert code.replace("_", "-") in {item.code.replace("_", "-") for item in raised.value.diagnostics}
    assert {item.path for item in raised.value.diagnostics} == {"specs/meters.yaml"}
