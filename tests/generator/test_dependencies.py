"""Executions that wait for others: `dependsOn` and inputs taken `from:` an output."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow
from generator.project import load_project
from generator.spec.resolve import OutputReference, Resolved, resolve

ENVIRONMENTS = Path(__file__).parent / "testdata" / "valid" / "meter-reading" / "specs" / "environments"
SPEC = """
apiVersion: corespec/v1
kind: Scenario
metadata: {name: meter-reading}
executables:
  digit-detection: {workflow: object-detection-train, image: docker.io/acme/digits:1, resourcePlan: train.l}
  digit-batch: {workflow: batch-processing, image: docker.io/acme/batch:1, resourcePlan: basic}
  digit-reader: {workflow: model-serving, image: docker.io/acme/reader:1, resourcePlan: infer.s}
datasets: {digits: {source: data/digits, path: digits}}
configurations:
  sweep: {executable: digit-detection, inputs: {datain: digits}, matrix: {base_learning_rate: [0.001, 0.1]}}
  batch:
    executable: digit-batch
    inputs: {datain: digits, modelin: {from: sweep.base_learning_rate-0.001.trainedmodel}}
executions:
  sweep: {configuration: sweep}
  batch: {configuration: batch, backoff: 10m, suspend: {reason: Review}, protect: true}
  after: {configuration: sweep, dependsOn: [batch, sweep]}
deployments:
  reader:
    executable: digit-reader
    parameters: {loglevel: 1}
    inputs: {trainedmodels: {best: {of: [sweep], metric: mAP/allClasses}}}
    ttl: 7d
"""


@pytest.fixture
def resolved(tmp_path: Path, catalog: Mapping[str, Workflow]) -> Resolved:
    shutil.copytree(ENVIRONMENTS, tmp_path / "specs" / "environments")
    (tmp_path / "specs" / "a.yaml").write_text(SPEC)
    return resolve(load_project(tmp_path, catalog), "local", catalog)


def test_an_input_may_be_the_output_of_a_child_whose_name_holds_dots(resolved: Resolved) -> None:
    batch = next(item for item in resolved.configurations if item.name == "batch")
    assert batch.inputs == {"datain": "digits"}
    assert batch.outputs == {
        "modelin": OutputReference("sweep.base_learning_rate-0.001", "trainedmodel"),
    }


def test_an_execution_waits_for_what_it_names_and_for_what_it_reads(resolved: Resolved) -> None:
    """Naming a family means all of its children."""
    waits = {item.name: item.depends_on for item in resolved.executions}
    children = ("sweep.base_learning_rate-0.001", "sweep.base_learning_rate-0.1")
    assert waits["batch"] == children[:1]
    assert waits["after.base_learning_rate-0.1"] == ("batch", *children)
    assert waits["sweep.base_learning_rate-0.1"] == ()


def test_what_governs_a_run_is_handed_on(resolved: Resolved) -> None:
    batch = next(item for item in resolved.executions if item.name == "batch")
    assert (batch.backoff_seconds, batch.protect) == (600, True)
    assert batch.suspend is not None
    assert (batch.suspend.reason, batch.suspend.until) == ("Review", None)


def test_a_deployment_binds_every_parameter(resolved: Resolved, catalog: Mapping[str, Workflow]) -> None:
    (reader,) = resolved.deployments
    assert set(reader.parameters) == set(catalog["model-serving"].parameters)
    assert (reader.parameters["loglevel"], reader.parameters["requesttimeout"]) == ("1", "1m")
    assert reader.inputs["trainedmodels"].best is not None
    assert reader.ttl == "7d"
