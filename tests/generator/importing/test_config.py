"""A workflow_config of the content packages renders to the same executable; the rest is accounted for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow, load_catalog
from generator.errors import InputError
from generator.importing import import_files
from tests.generator.importing.moving import TUTORIAL, config, imported, outcomes, refused, template

Write = Callable[[str, str], Path]
WORKFLOWS = load_catalog()


def test_the_tutorial_s_dict_moves_in(root: Path, write: Write) -> None:
    """Name, scenario, version, title, image and pull secret are those of the tutorial."""
    result = imported(root, write("workflow_config.py", f"workflow_config = {TUTORIAL!r}\n"))
    rendered = template(root, TUTORIAL["name"])
    assert rendered["metadata"]["labels"] == TUTORIAL["labels"]
    assert rendered["metadata"]["annotations"]["scenarios.ai.sap.com/name"] == "SAP CV Package Tutorial"
    assert rendered["spec"]["imagePullSecrets"] == [{"name": "kim-docker"}]
    (train,) = [item for item in rendered["spec"]["templates"] if "container" in item]
    assert train["container"]["image"] == f"docker.io/{TUTORIAL['image']}"
    assert train["metadata"]["labels"] == {"ai.sap.com/resourcePlan": "train.l"}
    seen = outcomes(result)
    assert seen["executable id"] == seen["imagePullSecret"] == "carried"
    assert seen["image"] == seen["workflow"] == seen["default of aicore_tracking"] == "changed"
    assert seen["objectStoreSecret"] == "not carried"


def test_every_form_of_the_file_makes_the_same_spec(root: Path, write: Write) -> None:
    notebook = {"cells": [{"cell_type": "code", "source": f"workflow_config = {TUTORIAL!r}"}]}
    paths = [
        write("workflow_config.yaml", config()),
        write("workflow_config.json", json.dumps(TUTORIAL)),
        write("workflow_config.py", f"workflow_config = {TUTORIAL!r}"),
        write("workflow_config.ipynb", json.dumps(notebook)),
    ]
    texts = {
        import_files(root, [path]).files["specs/sap-cv-package-tutorial.yaml"].split(b"\n", 2)[2]
        for path in paths
    }
    assert len(texts) == 1


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS))
def test_every_workflow_of_the_package_moves_in(root: Path, write: Write, workflow: str) -> None:
    """With the parameters and artifacts that the catalogue has for it."""
    options = {".contentPackage": "sap-cv", ".workflow": workflow, ".dockerType": "cpu"}
    found = WORKFLOWS[workflow]
    result = imported(root, write("config.yaml", config(name="some-executable", **options)))
    rendered = template(root, "some-executable")
    assert rendered["kind"] == found.template_kind
    side = "inputs" if found.kind == "serving" else "arguments"
    assert [item["name"] for item in rendered["spec"][side]["parameters"]] == list(found.parameters)
    assert outcomes(result)["workflow"] == "carried"
    assert "gpu: false" in (root / "specs/sap-cv-package-tutorial.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "workflow"),
    [
        ("sap-cv-obj-detection-train", "object-detection-train"),
        ("my_object_detection", "object-detection-train"),
        ("image-classification", "image-classification-train"),
        ("triplet-shoes", "triplet-distance-learning-train"),
        ("shoe-retrieval", "triplet-distance-learning-train"),
        ("nightly-batch", "batch-processing"),
        ("digits-serving", "model-serving"),
    ],
)
def test_a_telling_name_says_which_workflow_it_is(root: Path, write: Write, name: str, workflow: str) -> None:
    """And the account says that it was guessed, and how to say otherwise."""
    result = import_files(root, [write("c.yaml", config(name=name, image="k/x:1"))], name="some-executable")
    (row,) = [row for row in result.rows if row.subject == "workflow"]
    assert row.after == workflow
    assert f"guessed from `{name}`; --workflow NAME says otherwise" in row.reason


@pytest.mark.parametrize("name", ["digits-train", "detect-and-batch-obj-detection", "train"])
def test_a_name_that_tells_nothing_or_two_things_is_no_guess(root: Path, write: Write, name: str) -> None:
    path = write("c.yaml", config(name=f"{name}-x", image="k/x:1"))
    assert refused(root, path) == ["missing-workflow"]
    assert import_files(root, [path], workflow="batch-processing").executables == (f"{name}-x",)


def test_the_option_goes_before_what_the_file_says(root: Path, write: Write) -> None:
    path = write("c.yaml", config(**{".workflow": "object-detection-train"}))
    result = import_files(root, [path], workflow="batch-processing")
    (row,) = [row for row in result.rows if row.subject == "workflow"]
    assert (row.before, row.after, row.reason) == ("object-detection-train", "batch-processing", "--workflow")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"image": "<YOUR_DOCKER_USERNAME>/digits:1"},
            "c.yaml:3:8: placeholder: image: `<YOUR_DOCKER_USERNAME>`",
        ),
        ({"imagePullSecret": "<YOUR_DOCKER_SECRET>"}, "placeholder: imagePullSecret: `<YOUR_DOCKER_SECRET>`"),
        ({"name": "<NAME>"}, "placeholder: name: `<NAME>`"),
        (
            {"labels": {**TUTORIAL["labels"], "scenarios.ai.sap.com/id": "<your scenario>"}},
            "placeholder: labels.scenarios.ai.sap.com/id: `<your scenario>`",
        ),
        ({"name": None}, "missing-key: name: the name is missing"),
        ({"image": None}, "missing-key: image: the image is missing"),
        ({"labels": None}, "missing-key: labels: the label `scenarios.ai.sap.com/id` is missing"),
        ({"labels": "x"}, "wrong-type: labels: must be a mapping"),
        ({"name": "Obj_Detection_Train"}, "`--name obj-detection-train`"),
        ({"name": "obj-detection-" + "x" * 60}, "illegal-name: name: "),
        ({"image": "kim/obj-detection"}, "has no tag, so Docker means `latest`"),
        ({"image": "kim/obj-detection:latest"}, "the tag `latest` moves"),
        ({"image": "digits:0.0.1"}, "write `docker.io/USER/digits:0.0.1`"),
        ({"image": "Kim/Digits:1"}, "must be an image reference"),
        ({"imagePullSecret": "Kim Docker"}, "illegal-value: imagePullSecret: `Kim Docker` must be 1 to 63"),
        ({".dockerType": "tpu"}, "unknown-value: .dockerType: must be `gpu` or `cpu`"),
        ({".workflow": "object-detection"}, "did you mean `object-detection-train`?"),
        ({".contentPackage": "sap-nlp"}, "unknown-package: .contentPackage: "),
        (
            {"parameters": {"batch_size": "many"}},
            "wrong-type: parameters: batch_size: must be a whole number",
        ),
    ],
)
def test_what_cannot_be_is_one_error_with_field_and_remedy(
    root: Path, write: Write, changes: Mapping[str, object], expected: str
) -> None:
    path = write("c.yaml", config(**changes))
    with pytest.raises(InputError) as caught:
        import_files(root, [path])
    (found,) = caught.value.diagnostics
    assert expected in str(found)


def test_every_fault_of_every_file_is_told_at_once(root: Path, write: Write) -> None:
    first = write("a.yaml", config(name="A", image="<X>/y:1"))
    second = write("b.yaml", config(image=None, imagePullSecret="<Y>"))
    assert sorted(refused(root, first, second)) == [
        "illegal-name",
        "missing-key",
        "missing-workflow",
        "placeholder",
        "placeholder",
    ]


def test_a_new_name_replaces_an_illegal_one(root: Path, write: Write) -> None:
    result = imported(root, write("c.yaml", config(name="Obj_Detection")), name="obj-detection")
    assert template(root, "obj-detection")["metadata"]["name"] == "obj-detection"
    (row,) = [row for row in result.rows if row.subject == "executable id"]
    assert (row.before, row.after) == ("Obj_Detection", "obj-detection")


def test_values_that_somebody_chose_become_a_configuration(root: Path, write: Write) -> None:
    """Not those that are the package's default or ours; and the dataset that it reads is declared."""
    values = {
        "base_learning_rate": "0.001",
        "early_stopping": "False",
        "train": "0.8",
        "batch_size": "12",
        "aicore_tracking": "False",
        "nonsense": "1",
    }
    bound = ", ".join(f"ParameterBinding({key!r}, {value!r})" for key, value in values.items())
    cells = [f"workflow_config = {TUTORIAL!r}", f"params = [{bound}]"]
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})
    result = imported(root, write("train.ipynb", notebook))
    text = (root / "specs/sap-cv-package-tutorial.yaml").read_text()
    assert text.endswith(
        "datasets:\n  pictures:\n    source: data/pictures\n    path: sap-cv-package-tutorial/pictures\n\n"
        "configurations:\n  imported:\n    executable: sap-cv-package-tutorial-obj-detection-train\n"
        "    inputs:\n      datain: pictures\n    parameters:\n      base_learning_rate: 0.001\n"
        "      early_stopping: false\n      train: 0.8\n"
    )
    assert outcomes(result)["parameter nonsense"] == "not carried"
    template(root, TUTORIAL["name"])


def test_values_of_a_server_wait_for_its_deployment(root: Path, write: Write) -> None:
    path = write("c.yaml", config(name="digit-serving", parameters={"iou_threshold": 0.4}))
    result = import_files(root, [path])
    assert "configurations" not in result.files["specs/sap-cv-package-tutorial.yaml"].decode()
    assert outcomes(result)["parameter iou_threshold"] == "not carried"


def test_labels_options_and_unknown_keys_are_accounted_for(root: Path, write: Write) -> None:
    labels = {**TUTORIAL["labels"], "ext.ai.sap.com/team": "blue", "owner": "kim"}
    options = {"metaflow": ["--quiet"], "labels": {"ai.sap.com/instanceType": "gpu.small", "x": "y"}}
    annotations = {**TUTORIAL["annotations"], "executables.ai.sap.com/name": "Digits", "note": "mine"}
    path = write(
        "c.yaml",
        config(labels=labels, annotations=annotations, additionalOptions=options, colour="red"),
    )
    result = imported(root, path)
    rendered = template(root, TUTORIAL["name"])
    assert rendered["metadata"]["labels"] == {**TUTORIAL["labels"], "ext.ai.sap.com/team": "blue"}
    assert rendered["metadata"]["annotations"]["executables.ai.sap.com/name"] == "Digits"
    assert rendered["spec"]["templates"][1]["metadata"]["labels"] == {"ai.sap.com/instanceType": "gpu.small"}
    dropped = [row.subject for row in result.rows if row.outcome.value == "not carried"]
    assert dropped == [
        "label owner",
        "annotation note",
        "additionalOptions.labels.x",
        "additionalOptions.metaflow",
        "colour",
        "objectStoreSecret",
    ]
    assert all(row.reason for row in result.rows if row.outcome.value != "carried")


@pytest.mark.parametrize("workflow", [item for item in WORKFLOWS.values() if item.kind == "training"])
def test_changed_defaults_are_told_one_by_one(root: Path, write: Write, workflow: Workflow) -> None:
    result = import_files(root, [write("c.yaml", config(**{".workflow": workflow.name}))])
    changed = {row.subject for row in result.rows if row.subject.startswith("default of ")}
    assert changed == {"default of model_name", "default of base_learning_rate", "default of aicore_tracking"}
