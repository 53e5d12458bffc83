"""The catalogue: complete, checked, and open to folders of one's own without a line of Python."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from jinja2 import TemplateError

from generator.catalog import BUILT_IN, Workflow, load_catalog
from generator.errors import InputError
from generator.project import project_catalog
from generator.spec.parameters import canonical
from generator.templating import fill
from generator.version import tool_version

VALID = Path(__file__).parent / "testdata" / "valid"

# Workflow -> parameter -> default in sap-computer-vision-package 1.1.7, in our canonical spelling.
IMAGE_TYPES = '[".jpg",".jpeg",".png"]'
OBJECT_DETECTION = {
    "model_name": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
    "train": "train.txt",
    "validation": "val.txt",
    "test": "test.txt",
    "class_names": "[]",
    "box_mode": "XYXY_ABS",
    "batch_size": "12",
    "learning_rate_decay": "True",
    "early_stopping": "True",
    "additional_augmentations": "True",
    "maximum_training_steps": "3000",
    "evaluation_frequency": "0.1",
    "base_learning_rate": "0.00025",
    "seed": "1337",
    "aicore_tracking": "False",
    "image_types": IMAGE_TYPES,
}
IMAGE_CLASSIFICATION = {
    "model_name": "ImageClassifier/FPN-Resnet50-no-pooling",
    "train": "train.txt",
    "validation": "val.txt",
    "test": "val.txt",
    "class_names": "",
    "batch_size": "40",
    "learning_rate_decay": "True",
    "projection_layers": "[]",
    "maximum_training_steps": "3000",
    "evaluation_frequency": "0.1",
    "base_learning_rate": "0.00025",
    "additional_augmentations": "True",
    "aicore_tracking": "False",
    "seed": "1337",
    "image_types": IMAGE_TYPES,
}
TRIPLET = {
    "model_name": "TripletDistanceLearner/FPN-Resnet50",
    "train": "train.txt",
    "validation": "val.txt",
    "test": "test.txt",
    "index": "index.txt",
    "sampler": "PKSampler",
    "loss": "MARGIN_LOSS",
    "margin": "0.5",
    "embedding_dimensions": "512",
    "projection_layers": "[]",
    "learning_rate_decay": "True",
    "early_stopping": "False",
    "additional_augmentations": "True",
    "batch_size": "8",
    "p_classes_per_batch": "8",
    "k_examples_per_class": "8",
    "maximum_training_steps": "3000",
    "evaluation_frequency": "0.1",
    "base_learning_rate": "0.00025",
    "seed": "1337",
    "aicore_tracking": "False",
    "image_types": IMAGE_TYPES,
    "evaluation_topk": "[1,3,5,10,30]",
    "freeze_backbone": "False",
    "work_dir_size": "20",
}
BATCH = {"model_file": "", "batch_size": "0", "image_types": IMAGE_TYPES, "iou_threshold": "-1"}
SERVING = {
    "models": "/mnt/models/[model]",
    "cpuaffinity": "False",
    "requesttimeout": "1m",
    "loglevel": "3",
    "gpu_deployment": "True",
    "iou_threshold": "-1",
}
TRAINING_DEPARTURES = {"model_name": "compact", "base_learning_rate": "0.002", "aicore_tracking": "True"}
OLD_PACKAGE: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "object-detection-train": (OBJECT_DETECTION, TRAINING_DEPARTURES),
    "image-classification-train": (IMAGE_CLASSIFICATION, TRAINING_DEPARTURES | {"class_names": "[]"}),
    "triplet-distance-learning-train": (TRIPLET, TRAINING_DEPARTURES),
    "batch-processing": (BATCH, {}),
    "model-serving": (SERVING, {}),
}
ARTIFACTS = {
    "object-detection-train": ({"datain": "/tmp/datain"}, {"trainedmodel": "/tmp/model"}),
    "image-classification-train": ({"datain": "/tmp/datain"}, {"trainedmodel": "/tmp/model"}),
    "triplet-distance-learning-train": ({"datain": "/tmp/datain"}, {"trainedmodel": "/tmp/model"}),
    "batch-processing": (
        {"datain": "/tmp/datain", "modelin": "/tmp/modelin"},
        {"results": "/tmp/results"},
    ),
    "model-serving": ({"trainedmodels": "/mnt/models"}, {}),
}


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    """A catalogue folder with one workflow, a copy of the built-in one under another name."""
    folder = tmp_path / "catalog" / "my-detection"
    shutil.copytree(BUILT_IN / "object-detection-train", folder)
    text = (folder / "workflow.yaml").read_text()
    (folder / "workflow.yaml").write_text(text.replace("name: object-detection-train", "name: my-detection"))
    return folder


def test_the_catalogue_has_the_workflows_of_the_old_package(catalog: Mapping[str, Workflow]) -> None:
    assert set(catalog) == set(OLD_PACKAGE)
    kinds = {name: workflow.kind for name, workflow in catalog.items() if workflow.kind != "training"}
    assert kinds == {"batch-processing": "batch", "model-serving": "serving"}


@pytest.mark.parametrize("name", OLD_PACKAGE)
def test_a_workflow_has_every_parameter_of_the_old_package(
    name: str, catalog: Mapping[str, Workflow]
) -> None:
    """With its default, except for the departures that workflow.yaml explains; its own names still are legal
    values.
    """
    defaults, departures = OLD_PACKAGE[name]
    parameters = catalog[name].parameters
    old = {key: item for key, item in parameters.items() if item.origin == "sap-cv 1.1.7"}
    assert {key: canonical(item, item.default) for key, item in old.items()} == {**defaults, **departures}
    for key, value in defaults.items():
        assert canonical(old[key], value or old[key].default) == (value or old[key].default)
    explained = (BUILT_IN / name / "workflow.yaml").read_text().split("apiVersion")[0]
    assert all(f"  {key} " in explained for key in departures)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_artifacts_are_those_of_the_old_package(name: str, catalog: Mapping[str, Workflow]) -> None:
    workflow = catalog[name]
    inputs = {key: port.path for key, port in workflow.inputs.items()}
    outputs = {key: port.path for key, port in workflow.outputs.items()}
    assert (inputs, outputs) == ARTIFACTS[name]


def test_every_training_checks_its_data_before_anything_is_created(catalog: Mapping[str, Workflow]) -> None:
    for name, workflow in catalog.items():
        expected = ("-m", "trainer", "check", name) if workflow.kind == "training" else None
        assert workflow.check == expected


def test_every_parameter_is_documented_and_its_default_is_legal(catalog: Mapping[str, Workflow]) -> None:
    for workflow in catalog.values():
        for name, parameter in workflow.parameters.items():
            assert parameter.name == name
            assert parameter.description.endswith(".")
            canonical(parameter, parameter.default)


def test_a_folder_of_ones_own_joins_the_catalogue(extra: Path) -> None:
    assert set(load_catalog([extra.parent])) == {*load_catalog(), "my-detection"}


def test_texts_may_include_shared_ones(extra: Path) -> None:
    """Those of the catalogue's own `_shared` go before the built-in ones of the same name."""
    shared = extra.parent / "_shared"
    shared.mkdir()
    (shared / "own.j2").write_text("own")
    (shared / "Dockerfile.j2").write_text("FROM own")
    workflow = load_catalog([extra.parent])["my-detection"]
    assert fill('<% include "own.j2" %>', {}, workflow.shared) == "own"
    assert fill(workflow.texts["Dockerfile.j2"], {}, workflow.shared) == "FROM own"
    assert "workflow-template.yaml.j2" in workflow.shared
    with pytest.raises(TemplateError, match=r"none\.j2"):
        fill('<% include "none.j2" %>', {}, workflow.shared)


def test_a_workflow_without_a_recipe_has_its_image_built_elsewhere(extra: Path) -> None:
    (extra / "Dockerfile.j2").unlink()
    (extra / "requirements.txt.j2").unlink()
    assert load_catalog([extra.parent])["my-detection"].builds_image is False
    assert load_catalog()["object-detection-train"].builds_image is True


def test_a_projects_catalogue_comes_from_three_places(
    extra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option, the variable and the environments; a folder that is named twice counts once."""
    environments = tmp_path / "project" / "specs" / "environments"
    environments.mkdir(parents=True)
    assert "my-detection" not in project_catalog(tmp_path / "project")
    assert "my-detection" in project_catalog(tmp_path / "project", [extra.parent])
    monkeypatch.setenv("CORESPEC_CATALOG", str(extra.parent))
    assert "my-detection" in project_catalog(tmp_path / "project", [extra.parent])
    monkeypatch.delenv("CORESPEC_CATALOG")
    shutil.copytree(extra.parent, tmp_path / "project" / "flows")
    place = VALID / "meter-reading" / "specs" / "environments" / "local.yaml"
    (environments / "local.yaml").write_text(place.read_text() + "catalog: [flows]\n")
    assert "my-detection" in project_catalog(tmp_path / "project")


def test_a_taken_name_is_refused(extra: Path, tmp_path: Path) -> None:
    shutil.copytree(BUILT_IN, tmp_path / "again")
    with pytest.raises(InputError, match="duplicate-name: the catalogue already has a workflow"):
        load_catalog([tmp_path / "again"])


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('default: "12"', 'default: "many"', "wrong-type: parameters.batch_size.default"),
        ('default: "12"', 'default: "0"', "out-of-range: parameters.batch_size.default"),
        ("type: integer", "type: int", "unknown-value: parameters.batch_size.type"),
        ("origin: corespec", "orgin: corespec", "unknown-key: parameters.maximum_training_minutes.orgin"),
        ("name: my-detection", "name: other", "folder-name: metadata.name"),
        ("kind: Workflow", "kind: Scenario", "wrong-kind"),
        ("type: training", "type: &x training", "yaml-anchor"),
    ],
)
def test_a_bad_workflow_file_is_a_finding_with_its_place(
    extra: Path, old: str, new: str, finding: str
) -> None:
    text = (extra / "workflow.yaml").read_text()
    assert old in text
    (extra / "workflow.yaml").write_text(
        text.replace(old, new, 1) if old != "origin: corespec" else text.replace(old, new)
    )
    with pytest.raises(InputError) as caught:
        load_catalog([extra.parent])
    lines = str(caught.value).splitlines()
    assert any(finding in line and line.startswith(f"{extra.as_posix()}/workflow.yaml:") for line in lines)


def test_missing_and_broken_texts_are_findings(extra: Path) -> None:
    """All of them in one run: a template without its end, no Dockerfile, requirements that are no text."""
    (extra / "template.yaml.j2").write_text("kind: x\n<% if gpu %>\n")
    (extra / "Dockerfile.j2").unlink()
    (extra / "requirements.txt.j2").write_bytes(b"\xff")
    with pytest.raises(InputError) as caught:
        load_catalog([extra.parent])
    assert [item.code for item in caught.value.diagnostics] == ["missing-file", "not-utf8", "template-syntax"]


def test_a_folder_without_workflows_is_a_finding(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError, match="empty-catalog"):
            load_catalog([folder])
    (tmp_path / "half").mkdir()
    with pytest.raises(InputError, match=r"workflow\.yaml:1:1: missing-file"):
        load_catalog([tmp_path])


def test_the_tool_knows_its_version() -> None:
    assert tool_version()[0].isdigit()
