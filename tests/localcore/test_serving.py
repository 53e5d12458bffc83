"""ServingTemplates: what becomes of them in the catalogue, and what AI Core would say to a deployment."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from ai_core_sdk.exception import AIAPIInvalidRequestException, AIAPINotFoundException
from ai_core_sdk.models import Artifact, InputArtifactBinding, ParameterBinding, Status

from localcore.executable import TemplateError
from localcore.serving import ServingError, render
from localcore.store.database import Database
from localcore.store.schema import MIGRATIONS
from localcore.template import read_executable

SPEC = """\
predictor:
  minReplicas: 1
  containers:
  - name: kserve-container
    env:
    - {name: STORAGE_URI, value: "{{inputs.artifacts.trainedmodels}}"}
    - {name: GREETING, value: "{{inputs.parameters.greeting}}"}
"""
PARAMETERS = [{"name": "greeting", "type": "string", "default": "hello"}]


@pytest.fixture
def reader(support: Any) -> dict[str, Any]:
    """A server of one artifact and one parameter."""
    found: dict[str, Any] = support.serving(
        "reader", SPEC, parameters=PARAMETERS, artifacts=("trainedmodels",)
    )
    return found


def test_what_the_catalogue_takes(reader: dict[str, Any]) -> None:
    """Proves: deployable, with parameters, described inputs, and no outputs."""
    reader["metadata"]["annotations"]["artifacts.ai.sap.com/trainedmodels.kind"] = "model"
    found = read_executable(reader)
    assert (found.deployable, found.kind) == (True, "ServingTemplate")
    assert found.parameters == ({"name": "greeting", "type": "string", "default": "hello"},)
    assert found.inputs == ({"name": "trainedmodels", "kind": "model"},)
    assert found.outputs == ()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("apiVersion", "argoproj.io/v1alpha1", "is not served here"),
        ("metadata.annotations", {}, "scenarios.ai.sap.com/name is missing"),
        ("spec.inputs", {"artifacts": [{}]}, "an artifact has no name"),
        ("spec.inputs", {"parameters": [{"name": "p", "default": 1}]}, "spec.inputs.parameters.p.default"),
        ("spec.template.spec", {"predictor": {}}, "spec.template.spec must be a text"),
        ("spec.template.metadata.labels", {"a": "b"}, "spec.template.metadata.labels must be a text"),
        ("spec.template", {}, "spec.template.spec must be a text"),
    ],
)
def test_bad_templates(reader: dict[str, Any], path: str, value: Any, message: str) -> None:
    *folders, last = path.split(".")
    place = reader
    for folder in folders:
        place = place[folder]
    place[last] = value
    with pytest.raises(TemplateError, match=message):
        read_executable(reader)


def test_a_configuration_fills_the_serving_spec(reader: dict[str, Any]) -> None:
    """Proves: values over defaults, artifact URLs, and annotations and labels read as YAML."""
    found = render(reader, {}, {"trainedmodels": "ai://default/m"})
    env = found.spec["predictor"]["containers"][0]["env"]
    assert {one["name"]: one["value"] for one in env} == {
        "STORAGE_URI": "ai://default/m",
        "GREETING": "hello",
    }
    assert found.annotations == {"autoscaling.knative.dev/target": 1}
    assert found.labels == {"ai.sap.com/resourcePlan": "starter"}
    other = render(reader, {"greeting": "ciao"}, {"trainedmodels": "ai://default/m"})
    assert other.spec["predictor"]["containers"][0]["env"][1]["value"] == "ciao"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("x: '{{inputs.artifacts.my-model}}'", "'dict object' has no attribute 'my'"),
        ("x: '{{inputs.parameters.absent}}'", "'dict object' has no attribute 'absent'"),
        ("x: '{{inputs.parameters.greeting + 1}}'", "placeholder values are not resolved"),
        ("x: '{{'", "placeholder values are not resolved"),
        ("x: {{inputs.parameters.greeting}}: y", "no YAML once rendered"),
        ("{{inputs.parameters.greeting}}", "no mapping once rendered"),
        ("x: '{{inputs.__class__.__mro__}}'", "placeholder values are not resolved"),
    ],
)
def test_what_cannot_be_filled(support: Any, spec: str, message: str) -> None:
    """Proves: AI Core's own words where they are known; a template reaches nothing but its inputs."""
    template = support.serving("bad", spec, parameters=PARAMETERS, artifacts=("my-model",))
    with pytest.raises(ServingError) as failed:
        render(template, {}, {"my-model": "ai://default/m"})
    assert message in str(failed.value)


def test_a_parameter_is_expected(support: Any) -> None:
    """Proves: a template without any parameter fails as in AI Core, which expects one."""
    with pytest.raises(ServingError, match="declares no input parameter"):
        render(support.serving("bare", "predictor: {}"), {}, {})


def _served(core: Any, gitops: Any, *documents: dict[str, Any]) -> None:
    for document in documents:
        gitops.write(f"templates/{document['metadata']['name']}.yaml", document)
    core.sync(gitops)


def test_a_scenario_needs_a_workflow(
    own_core: Any, own_gitops: Any, support: Any, reader: dict[str, Any]
) -> None:
    """Proves: a ServingTemplate alone stays invisible until its scenario has a WorkflowTemplate."""
    client = own_core.start().client()
    _served(own_core, own_gitops, reader)
    entries = client.applications.get_status("templates").sync_resources_status
    assert [(one.kind, one.name, one.status) for one in entries] == [("ServingTemplate", "reader", "Synced")]
    assert client.scenario.query().resources == []
    assert client.executable.query("demo").resources == []
    with pytest.raises(AIAPINotFoundException):
        client.executable.get("demo", "reader")
    _served(own_core, own_gitops, support.template("train", [support.shell("main", "true")]))
    assert [one.id for one in client.scenario.query().resources] == ["demo"]
    found = {one.id: one for one in client.executable.query("demo").resources}
    assert (found["reader"].deployable, found["train"].deployable) == (True, False)
    assert [one.name for one in found["reader"].input_artifacts] == ["trainedmodels"]
    assert client.executable.get("demo", "reader").parameters[0].default == "hello"


def _configure(client: Any, executable: str, artifact: str) -> str:
    model = client.artifact.create("model", Artifact.Kind.MODEL, "ai://default/m", "demo")
    created = client.configuration.create(
        "c",
        "demo",
        executable,
        [ParameterBinding("greeting", "ciao")],
        [InputArtifactBinding(artifact, model.id)],
    )
    return str(created.id)


def test_deployments_are_refused_as_aicore_would(
    core: Any, gitops: Any, support: Any, reader: dict[str, Any]
) -> None:
    """Proves: a configuration can be made of any template; what AI Core refuses is 400 with the reason."""
    hyphen = support.serving(
        "hyphen", "x: '{{inputs.artifacts.my-model}}'", parameters=PARAMETERS, artifacts=("my-model",)
    )
    train = support.template("train", [support.shell("main", "true")])
    _served(core, gitops, reader, hyphen, train)
    client = core.client()
    with pytest.raises(AIAPIInvalidRequestException, match="'dict object' has no attribute 'my'"):
        client.deployment.create(_configure(client, "hyphen", "my-model"))
    with pytest.raises(AIAPIInvalidRequestException, match="is a WorkflowTemplate"):
        client.deployment.create(_configure(client, "train", "x"))
    with pytest.raises(AIAPIInvalidRequestException, match="'absent' of scenario 'demo' does not exist"):
        client.deployment.create(_configure(client, "absent", "x"))
    with pytest.raises(AIAPIInvalidRequestException, match="configuration 'nowhere' does not exist"):
        client.deployment.create("nowhere")


def test_a_serving_template_is_not_executed(
    core: Any, gitops: Any, reader: dict[str, Any], support: Any
) -> None:
    """Proves: 400 at once; and DEAD with the reason when the template came after the execution."""
    _served(core, gitops, reader)
    client = core.client()
    with pytest.raises(AIAPIInvalidRequestException, match="is a ServingTemplate: it is deployed"):
        client.execution.create(_configure(client, "reader", "trainedmodels"))
    early = client.execution.create(_configure(client, "later", "trainedmodels")).id
    later = support.serving("later", SPEC, parameters=PARAMETERS, artifacts=("trainedmodels",))
    _served(core, gitops, later)
    found = core.finished(early)
    assert (found.status, "is a ServingTemplate" in found.status_message) == (Status.DEAD, True)


def test_a_database_of_the_first_version_is_taken_along(tmp_path: Path) -> None:
    """Proves: the executables of an earlier version stay, and are no servers."""
    path = tmp_path / "db"
    with sqlite3.connect(path) as old:
        old.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        old.execute("INSERT INTO applications VALUES ('app', 'u', 'p', 'r', '{}', 't')")
        old.execute("INSERT INTO executables VALUES ('x', 'app', 's', '1', '{}', '{}', 'd', 't', 't')")
    old.close()
    database = Database(path)
    row = database.one("SELECT * FROM visible_executables")
    assert row is not None
    assert (row["id"], row["deployable"]) == ("x", 0)
    database.close()
