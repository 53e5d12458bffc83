"""Templates as they are found: written by hand, and as a tool wrote them from a Metaflow flow."""

from __future__ import annotations

from typing import Any

GREETING = """\
# The smallest template: one step that prints a line.
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata:
  name: first-greeting
  annotations:
    scenarios.ai.sap.com/description: Getting to know AI Core
    scenarios.ai.sap.com/name: Learning
    executables.ai.sap.com/description: Says hello
    executables.ai.sap.com/name: Greeting
  labels:
    scenarios.ai.sap.com/id: learning
    ai.sap.com/version: 1.0
spec:
  entrypoint: greetings
  templates:
  - name: greetings
    steps:
    - - name: hello
        template: say
  - name: say
    container:
      image: docker.io/library/python:3.11
      command: [python3, '-c']
      args: ['print("Hello << from <% AI Core <# it''s me")']
"""

PRICES = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata:
  name: prices-train
  annotations:
    scenarios.ai.sap.com/name: Prices
    executables.ai.sap.com/name: Training
    artifacts.ai.sap.com/pricedata.kind: dataset
    artifacts.ai.sap.com/pricemodel.labels: '{"ext.ai.sap.com/step": "train"}'
  labels:
    scenarios.ai.sap.com/id: prices
    ai.sap.com/version: "2.1"
    ext.ai.sap.com/team: blue
    owner: kim
spec:
  imagePullSecrets: [{name: kim-docker}, {name: mirror}]
  entrypoint: flow
  arguments:
    parameters:
    - name: DEPTH
      description: Depth of the trees
    - name: ROUNDS
      default: 10
  templates:
  - name: flow
    steps: [[{name: fit, template: fit}]]
  - name: fit
    metadata: {labels: {ai.sap.com/resourcePlan: basic, app: prices}}
    inputs:
      artifacts: [{name: pricedata, path: /app/data/}]
    outputs:
      artifacts: [{name: model, globalName: pricemodel, path: /app/model, archive: {none: {}}}]
    container:
      image: kim/prices:03
      command: [/bin/sh, -c]
      args:
      - |
        cat <<END
          fitting
        END
        exec python /app/main.py
      env:
      - {name: DEPTH, value: "{{workflow.parameters.DEPTH}}"}
      - {name: ROUNDS, value: "{{workflow.parameters.ROUNDS}}"}
"""

SERVER = """\
apiVersion: ai.sap.com/v1alpha1
kind: ServingTemplate
metadata:
  name: prices-server
  annotations:
    scenarios.ai.sap.com/name: Prices
    executables.ai.sap.com/name: Server
    executables.ai.sap.com/cascade-update-deployments: "true"
    artifacts.ai.sap.com/pricemodel.kind: model
  labels: {scenarios.ai.sap.com/id: prices, ai.sap.com/version: "2.1", ext.ai.sap.com/team: blue}
spec:
  inputs:
    artifacts: [{name: pricemodel}]
    parameters: [{name: greeting, type: string, default: hello}]
  template:
    apiVersion: serving.kserve.io/v1beta1
    metadata:
      annotations: |
        autoscaling.knative.dev/metric: concurrency
        autoscaling.knative.dev/target: 1
      labels: |
        ai.sap.com/resourcePlan: infer.s
        app: prices
    spec: |
      predictor:
        imagePullSecrets:
          - name: kim-docker
        minReplicas: 1
        maxReplicas: 5
        containers:
          - name: kfserving-container
            image: "kim/prices-server:01"
            ports:
              - containerPort: 9001
                protocol: TCP
            command: ["/bin/sh", "-c"]
            args: ["exec gunicorn --chdir /app main:app -b 0.0.0.0:9001"]
            env:
              - name: STORAGE_URI
                value: "{{inputs.artifacts.pricemodel}}"
              - name: GREETING
                value: "{{inputs.parameters.greeting}}"
"""

_DEFAULTS: dict[str, Any] = {
    "train": "train.txt",
    "batch_size": 12,
    "early_stopping": True,
    "base_learning_rate": 0.00025,
    "maximum_training_steps": 500,
    "aicore_tracking": False,
}


def metaflow(**changes: Any) -> dict[str, Any]:
    """A flow `start -> end` of the content package's object detection; `changes` are of its metadata."""
    from json import dumps

    def step(name: str, line: str, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "metadata": {
                "labels": {"ai.sap.com/resourcePlan": "train.l"},
                "annotations": {"metaflow/step_name": name},
            },
            "container": {
                "image": "docker.io/kim/sap-cv-package-object-detection-train:0.0.1",
                "command": ["/bin/sh", "-c"],
                "args": [line],
                "env": [
                    {"name": "METAFLOW_DATASTORE_SYSROOT_S3", "value": "s3://bucket/metaflow"},
                    *(
                        {"name": f"P_{key.upper()}", "value": f"{{{{workflow.parameters.{key}}}}}"}
                        for key in _DEFAULTS
                    ),
                ],
                "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
            },
            "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            **more,
        }

    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {
            "name": "digits-obj-detection-train",
            "labels": {
                "scenarios.ai.sap.com/id": "digits",
                "ai.sap.com/version": "0.0.1",
                "app": "metaflow",
            },
            "annotations": {
                "scenarios.ai.sap.com/name": "Digits",
                "executables.ai.sap.com/name": "digits-obj-detection-train",
                "artifacts.ai.sap.com/datain.kind": "dataset",
                "artifacts.ai.sap.com/trainedmodel.kind": "model",
                "metaflow/flow_name": "ObjectDetectionFlow",
                "metaflow/production_token": "objectdetectionflow-0-abcd",
            },
            **changes,
        },
        "spec": {
            "parallelism": 100,
            "imagePullSecrets": [{"name": "kim-docker"}],
            "entrypoint": "entry",
            "arguments": {
                "parameters": [
                    {"name": key, "value": dumps(value), "description": f"Sets {key}"}
                    for key, value in _DEFAULTS.items()
                ]
            },
            "templates": [
                {
                    "name": "entry",
                    "dag": {
                        "tasks": [
                            {"name": "start", "template": "start"},
                            {"name": "end", "template": "end", "dependencies": ["start"]},
                        ]
                    },
                },
                step(
                    "start",
                    "python flow.py step start",
                    inputs={"artifacts": [{"name": "datain", "path": "/tmp/datain"}]},
                    outputs={
                        "artifacts": [
                            {
                                "name": "trainedmodel",
                                "globalName": "trainedmodel",
                                "path": "/tmp/model",
                                "archive": {"none": {}},
                            }
                        ]
                    },
                ),
                step("end", "python flow.py step end"),
            ],
        },
    }
