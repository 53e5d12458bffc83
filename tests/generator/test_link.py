"""References: kinds fit, children can be named, parts broken elsewhere are not reported again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from generator.catalog import Workflow
from generator.spec.document import Scenario
from generator.spec.findings import Findings
from generator.spec.link import Linker
from generator.spec.reader import Positions

EXECUTABLE = {"workflow": "object-detection-train", "image": "docker.io/a/b:1", "resourcePlan": "train.l"}
DATASET = {"source": "data", "path": "data"}


def codes(
    catalog: Mapping[str, Workflow] | None, broken: frozenset[Any] = frozenset(), **sections: Any
) -> list[str]:
    """Codes of the findings about a scenario with one executable, one dataset and one configuration."""
    content = {
        "apiVersion": "corespec/v1",
        "kind": "Scenario",
        "metadata": {"name": "meter-reading"},
        "executables": {"digits": EXECUTABLE},
        "datasets": {"data": DATASET},
        "configurations": {"base": {"executable": "digits", "inputs": {"datain": "data"}}},
        **sections,
    }
    linker = Linker(Scenario.model_validate(content), Findings("a.yaml", Positions()), catalog, broken)
    linker.run()
    return [item.code for item in linker.findings.items]


def test_a_sound_scenario_has_no_findings(catalog: Mapping[str, Workflow]) -> None:
    assert codes(catalog, executions={"a": {"configuration": "base"}}) == []


def test_an_execution_may_name_one_child(catalog: Mapping[str, Workflow]) -> None:
    family = {
        "base": {"executable": "digits", "inputs": {"datain": "data"}, "matrix": {"batch_size": [8, 16]}}
    }
    assert (
        codes(catalog, configurations=family, executions={"a": {"configuration": "base.batch_size-8"}}) == []
    )
    gone = {"a": {"configuration": "base.batch_size-9"}}
    assert codes(catalog, configurations=family, executions=gone) == ["unknown-configuration"]


def test_without_a_catalogue_only_names_inside_of_the_file_are_checked() -> None:
    odd = {"base": {"executable": "digits", "inputs": {"nothing": "data"}, "parameters": {"unknown": 1}}}
    assert codes(None, configurations=odd, executions={"a": {"configuration": "base"}}) == []
    assert codes(None, executions={"a": {"configuration": "bose"}}) == ["unknown-configuration"]


def test_a_dataset_of_another_kind_does_not_fit(catalog: Mapping[str, Workflow]) -> None:
    assert codes(catalog, datasets={"data": {**DATASET, "kind": "model"}}) == ["artifact-kind"]


def test_serving_and_training_workflows_are_kept_apart(catalog: Mapping[str, Workflow]) -> None:
    """A deployment of a serving workflow is fine, an execution of one is not; batch is executed."""
    workflow = catalog["object-detection-train"]
    serving = {workflow.name: workflow.model_copy(update={"kind": "serving", "inputs": {}})}
    batch = {workflow.name: workflow.model_copy(update={"kind": "batch"})}
    deployment = {"reader": {"executable": "digits"}}
    execution = {"a": {"configuration": "base"}}
    plain = {"base": {"executable": "digits"}}
    assert codes(serving, configurations=plain, deployments=deployment) == []
    assert codes(serving, configurations=plain, executions=execution) == ["not-runnable"]
    assert codes(catalog, deployments=deployment) == ["not-serving"]
    assert codes(batch, executions=execution) == []


def test_only_what_writes_a_model_can_be_served(catalog: Mapping[str, Workflow]) -> None:
    """The only model of a workflow, or the output of the port's name; a batch run has none."""
    training = catalog["object-detection-train"]
    (output,) = training.outputs.values()
    several = training.model_copy(update={"outputs": {"a": output, "trainedmodels": output}})
    unclear = training.model_copy(update={"outputs": {"a": output, "b": output}})
    without = training.model_copy(update={"outputs": {}})
    executables = {
        "digits": EXECUTABLE,
        "server": {"workflow": "model-serving", "image": "docker.io/a/b:1", "resourcePlan": "infer.s"},
    }
    best = {"best": {"of": ["a"], "metric": "mAP/allClasses"}}
    sections = {
        "executables": executables,
        "executions": {"a": {"configuration": "base"}},
        "deployments": {"reader": {"executable": "server", "inputs": {"trainedmodels": best}}},
    }

    def found(workflow: Workflow) -> list[str]:
        return codes({**catalog, training.name: workflow}, **sections)

    assert found(training) == found(several) == []
    assert found(unclear) == found(without) == ["no-model"]


@pytest.mark.parametrize("broken", [("datasets", "data"), ("datasets",)])
def test_a_reference_to_a_broken_part_is_not_dangling(catalog: Mapping[str, Workflow], broken: Any) -> None:
    assert codes(catalog, frozenset({broken}), datasets={}) == []
    assert codes(catalog, datasets={}) == ["unknown-dataset"]
