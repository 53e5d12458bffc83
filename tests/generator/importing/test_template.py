"""Templates that exist render to the same executable: from the catalogue, or from a folder of their own."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from generator.diff import diff_templates
from generator.errors import InputError
from generator.importing import Imported, import_files
from generator.project import project_catalog
from tests.generator.importing.moving import imported, outcomes, refused, template
from tests.generator.importing.templates import GREETING, PRICES, SERVER, metaflow

Write = Callable[[str, str], Path]


def differences(root: Path, text: str, executable: str) -> list[str]:
    """Addresses at which the rendered template differs in meaning from the old one."""
    rendered = json.dumps(template(root, executable)).encode()
    diff = diff_templates({"t.yaml": text.encode()}, {"t.yaml": rendered})
    return sorted(change.address for change in diff.changes)


def reasons(result: Imported) -> list[str]:
    return [row.subject for row in result.rows if row.outcome.value == "changed"]


def test_the_smallest_template_by_hand(root: Path, write: Write) -> None:
    """Its command runs behind /bin/sh, on a machine that is named; nothing else is different."""
    result = imported(root, write("greeting.yaml", GREETING))
    rendered = template(root, "first-greeting")
    step = rendered["spec"]["templates"][1]
    assert step["metadata"]["labels"] == {"ai.sap.com/resourcePlan": "starter"}
    assert step["container"]["command"] == ["/bin/sh", "-c"]
    assert differences(root, GREETING, "first-greeting") == [
        'metadata.labels["ai.sap.com/version"]',
        "spec.templates.say.container.args[0]",
        "spec.templates.say.container.command[0]",
        "spec.templates.say.metadata",
    ]
    assert reasons(result) == [
        "metadata.labels.ai.sap.com/version",
        "machine of say",
        "command of say",
        "workflow",
    ]
    assert outcomes(result)["comments"] == "not carried"


def test_a_command_in_words_prints_the_same_behind_a_shell(root: Path, write: Write) -> None:
    """Quotes, and all that Jinja would take for its own, arrive as they were."""
    import subprocess

    imported(root, write("greeting.yaml", GREETING))
    container = template(root, "first-greeting")["spec"]["templates"][1]["container"]
    done = subprocess.run(
        [*container["command"], *container["args"]], capture_output=True, text=True, check=True
    )
    assert done.stdout == "Hello << from <% AI Core <# it's me\n"


def test_parameters_artifacts_and_further_labels_by_hand(root: Path, write: Write) -> None:
    result = imported(root, write("prices.yaml", PRICES))
    assert differences(root, PRICES, "prices-train") == [
        'metadata.annotations["artifacts.ai.sap.com/pricemodel.kind"]',
        "spec.arguments.parameters.ROUNDS.default",
        "spec.templates.fit.container.image",
        "spec.templates.fit.inputs.artifacts.pricedata.path",
    ]
    old, new = yaml.safe_load(PRICES), template(root, "prices-train")
    assert new["spec"]["imagePullSecrets"] == old["spec"]["imagePullSecrets"]
    assert (
        new["spec"]["templates"][1]["container"]["args"] == old["spec"]["templates"][1]["container"]["args"]
    )
    assert outcomes(result)["label owner"] == "carried"
    workflow = project_catalog(root)["prices-train"]
    assert {name: item.default for name, item in workflow.parameters.items()} == {"DEPTH": "", "ROUNDS": "10"}
    assert {name: (port.path, port.kind) for name, port in workflow.outputs.items()} == {
        "pricemodel": ("/app/model", "model")
    }
    assert not workflow.builds_image


def test_a_serving_template_by_hand(root: Path, write: Write) -> None:
    """Its texts are compared by what they mean; a training of the same scenario makes it visible."""
    result = imported(root, write("prices.yaml", PRICES), write("server.yaml", SERVER))
    assert differences(root, SERVER, "prices-server") == [
        "spec.template.spec.predictor.containers.kfserving-container",
        "spec.template.spec.predictor.containers.kserve-container",
    ]
    assert result.scenarios == ("prices",)
    assert "prices-server" in (root / "specs/prices.yaml").read_text()
    assert {"container name", "image"} <= set(reasons(result))


def test_the_spec_decides_image_secret_and_machine_of_an_imported_template(root: Path, write: Write) -> None:
    """What was replaced by `<< … >>` follows the spec from now on, in a server's text too."""
    imported(root, write("prices.yaml", PRICES), write("server.yaml", SERVER))
    path = root / "specs/prices.yaml"
    text = path.read_text().replace("prices:03", "prices:04").replace("prices-server:01", "prices-server:02")
    text = text.replace("kim-docker", "other").replace("basic", "train.l").replace("infer.s", "infer.m")
    path.write_text(text)
    fit = template(root, "prices-train")["spec"]
    assert fit["imagePullSecrets"] == [{"name": "other"}, {"name": "mirror"}]
    assert fit["templates"][1]["container"]["image"] == "docker.io/kim/prices:04"
    assert fit["templates"][1]["metadata"]["labels"] == {
        "ai.sap.com/resourcePlan": "train.l",
        "app": "prices",
    }
    server = template(root, "prices-server")["spec"]["template"]
    predictor = yaml.safe_load(server["spec"])["predictor"]
    assert predictor["containers"][0]["image"] == "docker.io/kim/prices-server:02"
    assert predictor["imagePullSecrets"] == [{"name": "other"}]
    assert yaml.safe_load(server["metadata"]["labels"])["ai.sap.com/resourcePlan"] == "infer.m"


def test_a_metaflow_template_keeps_what_it_runs(root: Path, write: Write) -> None:
    """DAG, JSON-encoded defaults, /dev/shm and the variables of Metaflow stay; not one thing differs."""
    text = json.dumps(metaflow(), indent=2)
    result = imported(root, write("template.json", text))
    assert differences(root, text, "digits-obj-detection-train") == []
    assert reasons(result) == ["workflow"]
    (row,) = [row for row in result.rows if row.subject == "workflow"]
    assert row.after == "catalog/digits-obj-detection-train"
    assert "`--workflow object-detection-train` moves it to corespec's trainer instead" in row.reason
    workflow = project_catalog(root)["digits-obj-detection-train"]
    assert workflow.parameters["train"].default == '"train.txt"'


def test_a_metaflow_template_moves_to_the_catalogue_when_asked(root: Path, write: Write) -> None:
    """The same id, labels, parameters and artifacts; values that somebody chose become a configuration."""
    path = write("template.json", json.dumps(metaflow()))
    result = imported(root, path, workflow="object-detection-train")
    rendered = template(root, "digits-obj-detection-train")
    names = [item["name"] for item in rendered["spec"]["arguments"]["parameters"]]
    assert {"train", "batch_size", "maximum_training_steps"} <= set(names)
    step = rendered["spec"]["templates"][1]
    assert step["inputs"]["artifacts"] == [{"name": "datain", "path": "/tmp/datain"}]
    assert step["outputs"]["artifacts"][0]["globalName"] == "trainedmodel"
    spec = yaml.safe_load((root / "specs/digits.yaml").read_text())
    assert spec["configurations"]["imported"]["parameters"] == {"maximum_training_steps": 500}
    seen = outcomes(result)
    assert seen["default of base_learning_rate"] == seen["image content, command"] == "changed"
    assert seen["parameter train"] == seen["output trainedmodel"] == "carried"
    assert seen["variables, steps and volumes"] == seen["label app"] == "not carried"
    assert seen["annotation metaflow/flow_name"] == "not carried"


def test_a_template_that_does_not_fit_the_workflow_asked_for_is_refused(root: Path, write: Write) -> None:
    with pytest.raises(InputError) as caught:
        import_files(root, [write("prices.yaml", PRICES)], workflow="object-detection-train")
    text = str(caught.value)
    assert "unfit-template" in text
    for lacking in ("parameter `DEPTH`", "input `pricedata`", "no input `datain`", "output `pricemodel`"):
        assert lacking in text
    assert refused(root, write("prices.yaml", PRICES), workflow="nothing") == ["unknown-workflow"]


def test_a_value_that_the_workflow_refuses_is_refused(root: Path, write: Write) -> None:
    document = metaflow()
    document["spec"]["arguments"]["parameters"][1]["value"] = '"many"'
    path = write("template.json", json.dumps(document))
    assert refused(root, path, workflow="object-detection-train") == ["wrong-type"]


def test_faults_are_told_with_the_lines_of_the_old_file(root: Path, write: Write) -> None:
    """A parameter pasted into a shell line is refused; the way out is named."""
    text = json.dumps(metaflow(), indent=1).replace(
        "step start", "step start --train={{workflow.parameters.train}}"
    )
    with pytest.raises(InputError) as caught:
        import_files(root, [write("old.json", text)])
    hint, fault = caught.value.diagnostics
    assert (hint.code, hint.severity) == ("import-hint", "warning")
    assert "--workflow object-detection-train" in hint.message
    assert (fault.code, text.split("\n")[fault.line - 1].strip()[:14]) == (
        "parameter-in-shell",
        '"python flow.p',
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("kind: WorkflowTemplate", "kind: Workflow", "prices.yaml:2:7: template-kind: "),
        ("  templates:", "  templatez:", "template-schema: "),
        ("name: prices-train", "name: Prices_Train", "prices.yaml:4:9: illegal-name: metadata.name: "),
        ("    scenarios.ai.sap.com/id: prices\n", "", "missing-key: metadata.labels: the label"),
        ("kim/prices:03", "kim/prices", "image-pinned: spec.templates[1].container.image: "),
        ("kim/prices:03", "<USER>/prices:03", "placeholder: spec.templates[1].container.image: `<USER>`"),
        ("DEPTH", "D-EPTH", "prices.yaml:20:13: parameter-name: "),
        ("owner: kim", "scenarios.ai.sap.com/id: a", "duplicate-key: "),
        ("scenarios.ai.sap.com/name: Prices", "scenarios.ai.sap.com/name: '<YOUR NAME>'", "placeholder: "),
    ],
)
def test_what_cannot_move_in_is_told_at_its_line(
    root: Path, write: Write, before: str, after: str, expected: str
) -> None:
    assert before in PRICES
    path = write("prices.yaml", PRICES.replace(before, after))
    with pytest.raises(InputError) as caught:
        import_files(root, [path])
    assert expected in str(caught.value).replace(f"{path.parent.as_posix()}/", "")


def test_a_name_is_changed_on_request(root: Path, write: Write) -> None:
    path = write("prices.yaml", PRICES.replace("name: prices-train", "name: Prices_Train"))
    result = imported(root, path, name="prices-fit")
    assert template(root, "prices-fit")["metadata"]["name"] == "prices-fit"
    assert outcomes(result)["executable id"] == "changed"


def test_names_for_people_and_a_version_that_are_missing_are_added(root: Path, write: Write) -> None:
    text = PRICES.replace("    executables.ai.sap.com/name: Training\n", "")
    text = text.replace('    ai.sap.com/version: "2.1"\n', "    executables.ai.sap.com/id: something\n")
    result = imported(root, write("prices.yaml", text))
    metadata = template(root, "prices-train")["metadata"]
    assert metadata["annotations"]["executables.ai.sap.com/name"] == "prices-train"
    assert metadata["labels"]["ai.sap.com/version"] == "0.0.1"
    assert outcomes(result)["label executables.ai.sap.com/id"] == "not carried"


def test_containers_with_another_image_or_machine_keep_them(root: Path, write: Write) -> None:
    """A spec decides what most containers share; the rest stays in the template."""
    document = yaml.safe_load(PRICES)
    extra = copy.deepcopy(document["spec"]["templates"][1])
    extra |= {"name": "report", "metadata": {"labels": {"ai.sap.com/instanceType": "small"}}}
    del extra["inputs"], extra["outputs"]
    extra["container"]["image"] = "docker.io/kim/report:1"
    document["spec"]["templates"][0]["steps"].append([{"name": "report", "template": "report"}])
    document["spec"]["templates"].append(extra)
    imported(root, write("prices.yaml", yaml.safe_dump(document)))
    report = template(root, "prices-train")["spec"]["templates"][2]
    assert report["container"]["image"] == "docker.io/kim/report:1"
    assert report["metadata"]["labels"] == {"ai.sap.com/instanceType": "small"}


def test_a_machine_that_a_parameter_chooses_stays_in_the_template(root: Path, write: Write) -> None:
    text = PRICES.replace("resourcePlan: basic", "resourcePlan: '{{workflow.parameters.DEPTH}}'")
    result = imported(root, write("prices.yaml", text))
    labels = template(root, "prices-train")["spec"]["templates"][1]["metadata"]["labels"]
    assert labels["ai.sap.com/resourcePlan"] == "{{workflow.parameters.DEPTH}}"
    assert outcomes(result)["machine"] == "changed"


def test_a_default_that_argo_fills_stays_in_the_template(root: Path, write: Write) -> None:
    text = PRICES.replace("default: 10", "default: '{{workflow.name}}'")
    result = import_files(root, [write("prices.yaml", text)])
    assert outcomes(result)["parameter ROUNDS"] == "not carried"


@pytest.mark.parametrize("line", ["<% endraw %>", "<%- endraw %><% for x in range(9) %>"])
def test_text_that_would_end_raw_text_is_refused(root: Path, write: Write, line: str) -> None:
    path = write("prices.yaml", PRICES.replace("          fitting\n", f"          {line}\n"))
    assert refused(root, path) == ["cannot-import"]


def test_a_pull_secret_that_no_spec_can_name_is_refused_by_lint(root: Path, write: Write) -> None:
    assert refused(root, write("prices.yaml", PRICES.replace("kim-docker", "Kim"))) == ["pull-secret"]


IN_BRACES = """\
          - {name: kserve-container, image: docker.io/kim/prices-server:01, ports: [{containerPort: 9001}],
             command: [/bin/sh, -c], args: [run], env: [
             {name: STORAGE_URI, value: "{{inputs.artifacts.pricemodel}}"},
             {name: GREETING, value: "{{inputs.parameters.greeting}}"}]}
"""


@pytest.mark.parametrize(
    "text",
    [
        SERVER[: SERVER.index("          - name: kfserving")] + IN_BRACES,
        SERVER.replace(
            "        ai.sap.com/resourcePlan: infer.s\n", "        {ai.sap.com/resourcePlan: infer.s}\n"
        ).replace("        app: prices\n", ""),
    ],
)
def test_a_server_whose_text_cannot_be_edited_by_line_is_refused(root: Path, write: Write, text: str) -> None:
    """Image and machine must stand on lines of their own, so that a spec can decide them."""
    assert refused(root, write("server.yaml", text)) == ["cannot-import"]


def test_a_text_that_is_no_yaml_yet_is_refused_with_the_remedy(root: Path, write: Write) -> None:
    """AI Core would fill it first; what reads rendered templates could not."""
    text = SERVER.replace("minReplicas: 1", "minReplicas: {{inputs.parameters.greeting}}")
    with pytest.raises(
        InputError, match=r"cannot-import: spec\.template\.spec: .*put each `{{…}}` into quotes"
    ):
        import_files(root, [write("server.yaml", text)])


def test_a_machine_that_a_parameter_of_a_server_chooses_stays(root: Path, write: Write) -> None:
    text = SERVER.replace("resourcePlan: infer.s", 'resourcePlan: "{{inputs.parameters.greeting}}"')
    result = imported(root, write("prices.yaml", PRICES), write("server.yaml", text))
    labels = template(root, "prices-server")["spec"]["template"]["metadata"]["labels"]
    assert yaml.safe_load(labels)["ai.sap.com/resourcePlan"] == "{{inputs.parameters.greeting}}"
    rows = [row.after for row in result.rows if row.subject == "machine" and row.outcome.value == "changed"]
    assert rows == ["starter"]
