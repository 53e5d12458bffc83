"""What a ServingTemplate looks like (SAP docs, API schema spec ai.sap.com/v1alpha1), and the InferenceService
inside of it (KServe spec serving.kserve.io/v1beta1). Imported where a ServingTemplate is at hand: hera's
models of Kubernetes take half a second."""

from __future__ import annotations

from typing import Any, Literal

from hera.workflows.models import (
    Container,
    LocalObjectReference,
    ObjectMeta,
    PodSecurityContext,
    Toleration,
    Volume,
)
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Keys in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class InputParameter(Model):
    """A parameter that a configuration binds. Its type is judged by a rule of its own."""

    name: str
    type: str | None = None
    default: str | None = None
    description: str | None = None


class InputArtifact(Model):
    """An artifact that a configuration binds."""

    name: str


class Inputs(Model):
    """`spec.inputs`."""

    parameters: list[InputParameter] | None = None
    artifacts: list[InputArtifact] | None = None


class InnerMetadata(Model):
    """Texts: YAML once they are filled."""

    annotations: str | None = None
    labels: str | None = None


class InferenceServiceTemplate(Model):
    """`spec.template`."""

    api_version: Literal["serving.kserve.io/v1beta1"]
    metadata: InnerMetadata | None = None
    spec: str


class ServingSpec(Model):
    """`spec`."""

    inputs: Inputs | None = None
    # KServe reads the predictor's; SAP's tutorial on serving with the CV package writes it here.
    image_pull_secrets: list[LocalObjectReference] | None = None
    template: InferenceServiceTemplate


class ServingTemplate(Model):
    """The document."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: ServingSpec


class Predictor(Model):
    """What SAP documents, and the rest of KServe's component and of a pod that templates use."""

    containers: list[Container] = Field(min_length=1)
    image_pull_secrets: list[LocalObjectReference] | None = None
    min_replicas: StrictInt | None = None
    max_replicas: StrictInt | None = None
    container_concurrency: StrictInt | None = None
    timeout: StrictInt | None = None
    termination_grace_period_seconds: StrictInt | None = None
    scale_target: StrictInt | None = None
    scale_metric: str | None = None
    canary_traffic_percent: StrictInt | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    security_context: PodSecurityContext | None = None
    service_account_name: str | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None
    affinity: dict[str, Any] | None = None
    priority_class_name: str | None = None
    host_network: StrictBool | None = None
    host_pid: StrictBool | None = Field(default=None, alias="hostPID")
    host_ipc: StrictBool | None = Field(default=None, alias="hostIPC")


class InferenceServiceSpec(Model):
    """The text `spec.template.spec`."""

    predictor: Predictor
