"""The Python of SAP's tutorial against localcore: its own cells where they are at hand, and their shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.models import Artifact

TRAIN = """
import datetime, os, pathlib
from ai_core_sdk.models import Metric, MetricLabel
from ai_core_sdk.tracking import Tracking
assert os.environ["TRAINER_BASE_LEARNING_RATE"] == "0.001"
print("pictures", sorted(path.name for path in pathlib.Path("/tmp/datain").iterdir()))
for step in (50, 100):
    now, label = datetime.datetime.now(datetime.timezone.utc), MetricLabel("data_split", "test")
    Tracking().log_metrics([Metric("mAP/allClasses", step / 100, now, step, [label])])
pathlib.Path("/tmp/model").mkdir()
pathlib.Path("/tmp/model/model_final.pth").write_text("weights")
"""


def _template(support: Any) -> dict[str, Any]:
    names = ("base_learning_rate", "early_stopping", "maximum_training_steps", "train", "validation", "test")
    env = [
        {"name": f"TRAINER_{name.upper()}", "value": f"{{{{workflow.parameters.{name}}}}}"} for name in names
    ]
    train = {
        "name": "train",
        "inputs": {"artifacts": [{"name": "datain", "path": "/tmp/datain"}]},
        "outputs": {
            "artifacts": [
                {
                    "name": "trainedmodel",
                    "globalName": "trainedmodel",
                    "path": "/tmp/model",
                    "archive": {"none": {}},
                }
            ]
        },
        "container": {
            "image": "docker.io/acme/cv:0.0.1",
            "command": ["python", "-c"],
            "args": [TRAIN],
            "env": env,
        },
    }
    main = {"name": "main", "dag": {"tasks": [{"name": "train", "template": "train"}]}}
    parameters = [{"name": name, "value": "1"} for name in names]
    found: dict[str, Any] = support.template("obj-detection-train", [main, train], parameters=parameters)
    return found


def test_the_tutorial_runs_unchanged(
    core: Any, gitops: Any, support: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves: with only AICORE_SERVICE_KEY set, the tutorial's cells work, twice, and find what they made."""
    gitops.write("templates/train.yaml", _template(support))
    core.sync(gitops)
    core.put("meter-reading/Rough-Digit-Classification/a.jpg", "picture")
    monkeypatch.setenv("AICORE_SERVICE_KEY", Path(core.data / "service-key.json").read_text())
    aicore_client = AICoreV2Client.from_env(resource_group="default")
    workflow_config = {"name": "obj-detection-train", "labels": {"scenarios.ai.sap.com/id": support.scenario}}

    first = _cells(aicore_client, workflow_config, core)
    second = _cells(aicore_client, workflow_config, core)
    assert first[:2] == second[:2], "the second run finds artifact and configuration instead of creating them"
    assert aicore_client.artifact.query(kind=Artifact.Kind.DATASET).count == 1
    assert aicore_client.configuration.query().count == 1
    assert aicore_client.execution.query().count == 2


def test_the_cells_as_they_stand(
    core: Any, gitops: Any, support: Any, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves: the tutorial's own cells, not one character changed, create, start, poll and get a model."""
    gitops.write("templates/train.yaml", _template(support))
    core.sync(gitops)
    core.put("meter-reading/Rough-Digit-Classification/a.jpg", "picture")
    monkeypatch.setenv("AICORE_SERVICE_KEY", Path(core.data / "service-key.json").read_text())
    notebook: dict[str, Any] = {
        "aicore_client": AICoreV2Client.from_env(resource_group="default"),
        "workflow_config": {
            "name": "obj-detection-train",
            "labels": {"scenarios.ai.sap.com/id": support.scenario},
        },
    }
    cells = re.findall(
        r"```PYTHON\n(.*?)```", (shared / "tutorial.md").read_text(encoding="utf-8"), re.DOTALL
    )
    cells = [cell for cell in cells if "aicore_client." in cell or "ParameterBinding(" in cell]
    assert len(cells) == 5, "artifact, parameters, configuration, start, poll"
    for cell in cells:
        if "execution.get(" in cell:
            core.finished(notebook["execution"].id)
        exec(compile(cell, "tutorial.md", "exec"), notebook)
    assert notebook["trained_model"].url == f"ai://default/{notebook['execution'].id}/trainedmodel"
    series = notebook["aicore_client"].metrics.query(execution_ids=[notebook["execution"].id])
    assert {metric.name for metric in series.resources[0].metrics} == {"mAP/allClasses"}


def _cells(aicore_client: AICoreV2Client, workflow_config: dict[str, Any], core: Any) -> tuple[str, str, str]:
    from ai_core_sdk.models import Artifact, InputArtifactBinding, ParameterBinding, Status

    ai_core_path = "ai://default/meter-reading/Rough-Digit-Classification"
    artifact_name = "tutorial-dataset-meter-reading-digits"
    try:
        artifact = [r for r in aicore_client.artifact.query().resources if r.name == artifact_name][0]  # noqa: RUF015
    except IndexError:
        artifact = aicore_client.artifact.create(
            name=artifact_name,
            scenario_id=workflow_config["labels"]["scenarios.ai.sap.com/id"],
            kind=Artifact.Kind.DATASET,
            url=ai_core_path,
            description="Meter Reading Digits Dataset",
        )
    params = [
        ParameterBinding("base_learning_rate", "0.001"),
        ParameterBinding("early_stopping", "False"),
        ParameterBinding("maximum_training_steps", "100"),
        ParameterBinding("train", "0.8"),
        ParameterBinding("validation", "0.1"),
        ParameterBinding("test", "0.1"),
    ]
    config_name = "tutorial-sapcv-meter-reading"
    try:
        found = aicore_client.configuration.query().resources
        configuration = [r for r in found if r.name == config_name][0]  # noqa: RUF015
    except IndexError:
        configuration = aicore_client.configuration.create(
            name=config_name,
            scenario_id=workflow_config["labels"]["scenarios.ai.sap.com/id"],
            executable_id=workflow_config["name"],
            input_artifact_bindings=[InputArtifactBinding("datain", artifact.id)],
            parameter_bindings=params,
        )
    execution = aicore_client.execution.create(configuration.id)
    core.finished(execution.id)
    execution = aicore_client.execution.get(execution.id)
    assert execution.status == Status.COMPLETED, execution.status_message
    trained_model = execution.output_artifacts[0]
    assert trained_model.url == f"ai://default/{execution.id}/trainedmodel"
    stored = core.data / "objects" / "default" / execution.id / "trainedmodel" / "model_final.pth"
    assert stored.read_text() == "weights"
    series = aicore_client.metrics.query(execution_ids=[execution.id]).resources[0].metrics
    assert [(m.name, m.value, m.step) for m in series] == [
        ("mAP/allClasses", 0.5, 50),
        ("mAP/allClasses", 1.0, 100),
    ]
    assert series[0].labels[0].value == "test"
    assert core.lines(execution.id) == ["pictures ['a.jpg']"]
    return artifact.id, configuration.id, execution.id
