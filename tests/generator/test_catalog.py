"""The catalogue: complete, checked, and open to folders of one's own without a line of Python."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import BUILT_IN, Workflow, load_catalog
from generator.errors import InputError
from generator.spec.parameters import canonical
from generator.version import tool_version

# Parameter -> default in sap-computer-vision-package 1.1.7.
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
    "image_types": '[".jpg",".jpeg",".png"]',
}
DEPARTURES = {"model_name": "compact", "base_learning_rate": "0.002", "aicore_tracking": "True"}


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    """A catalogue folder with one workflow, a copy of the built-in one under another name."""
    folder = tmp_path / "catalog" / "my-detection"
    shutil.copytree(BUILT_IN / "object-detection-train", folder)
    text = (folder / "workflow.yaml").read_text()
    (folder / "workflow.yaml").write_text(text.replace("name: object-detection-train", "name: my-detection"))
    return folder


def test_object_detection_has_every_parameter_of_the_old_package(catalog: Mapping[str, Workflow]) -> None:
    """With its default, except for the departures that workflow.yaml explains; its own names still are legal
    values.
    """
    parameters = catalog["object-detection-train"].parameters
    old = {name: item for name, item in parameters.items() if item.origin == "sap-cv 1.1.7"}
    defaults = {name: canonical(item, item.default) for name, item in old.items()}
    assert defaults == OBJECT_DETECTION | DEPARTURES
    assert all(canonical(old[name], value) == value for name, value in OBJECT_DETECTION.items())
    explained = (BUILT_IN / "object-detection-train" / "workflow.yaml").read_text().split("apiVersion")[0]
    assert all(f"  {name} " in explained for name in DEPARTURES)


def test_artifacts_are_those_of_the_old_package(catalog: Mapping[str, Workflow]) -> None:
    workflow = catalog["object-detection-train"]
    assert {name: port.path for name, port in workflow.inputs.items()} == {"datain": "/tmp/datain"}
    assert {name: port.path for name, port in workflow.outputs.items()} == {"trainedmodel": "/tmp/model"}
    assert workflow.check == ("-m", "trainer", "check", "object-detection-train")


def test_every_parameter_is_documented_and_its_default_is_legal(catalog: Mapping[str, Workflow]) -> None:
    for workflow in catalog.values():
        for name, parameter in workflow.parameters.items():
            assert parameter.name == name
            assert parameter.description.endswith(".")
            canonical(parameter, parameter.default)


def test_a_folder_of_ones_own_joins_the_catalogue(extra: Path) -> None:
    assert sorted(load_catalog([extra.parent])) == ["my-detection", "object-detection-train"]


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
