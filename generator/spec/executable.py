"""An executable: one template in AI Core, a workflow of the catalogue in an image on a machine size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.model import SpecModel
from generator.spec.types import (
    GPU_PLANS,
    DockerSecretName,
    Duration,
    Image,
    InstanceType,
    Line,
    MountPath,
    ObjectName,
    Quantity,
    ResourcePlan,
    StorageClass,
    Text,
)


class Backoff(SpecModel):
    """How long a pod waits before it is tried again."""

    duration: Duration
    """First wait."""
    factor: Annotated[StrictInt, Field(ge=1, le=10)] = 2
    """Each further wait is so many times longer."""
    max_duration: Duration | None = None
    """No retry begins later than this after the first start."""


class Retry(SpecModel):
    """Retries of a pod inside of one execution (Argo's `retryStrategy`)."""

    limit: Annotated[StrictInt, Field(ge=1, le=10)]
    """Most retries."""
    policy: Literal["Always", "OnFailure", "OnError", "OnTransientError"] = "OnError"
    """`OnError`: the pod was lost, its command did not fail; a command that failed once fails again."""
    backoff: Backoff | None = None
    """Wait between retries; absent: none."""


class Volume(SpecModel):
    """A disk of its own for every run (Argo's `volumeClaimTemplates`); AI Core's nodes share 30 GB."""

    size: Quantity
    """Its size: `100Gi`."""
    mount_path: MountPath
    """Folder in the container."""
    storage_class: StorageClass | None = None
    """Storage class of the cluster; absent: its default."""


class Scaling(SpecModel):
    """How many replicas of a model server run."""

    min_replicas: Annotated[StrictInt, Field(ge=0, le=100)] = 1
    """Fewest replicas; 0 lets an idle server go."""
    max_replicas: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    """Most replicas."""
    concurrency: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    """Requests at one time in a replica before another is started."""

    @model_validator(mode="after")
    def _ordered(self) -> Scaling:
        if self.min_replicas > self.max_replicas:
            raise PydanticCustomError("scaling", "`minReplicas` must not exceed `maxReplicas`")
        return self


class Executable(SpecModel):
    """One template in AI Core: a workflow of the catalogue in an image on a machine size."""

    workflow: ObjectName
    """Workflow of the content catalogue: see `corespec catalog list`."""
    image: Image
    """Image with registry host and tag or digest (`docker.io/acme/digits:0.0.1`), or `name:tag` alone: then
    the environment's `docker.registry` is put before it."""
    image_pull_secret: DockerSecretName | None = None
    """AI Core docker registry secret that can pull the image; absent: the environment's `docker.secret` where
    the image comes from its registry."""
    resource_plan: ResourcePlan | None = None
    """Machine size by plan. Give this or `instanceType`."""
    instance_type: InstanceType | None = None
    """Machine size by instance type. Give this or `resourcePlan`."""
    gpu: StrictBool | None = None
    """Base image with CUDA or without; absent: decided by the resource plan (an instance type counts as CPU).
    """
    shared_memory: Quantity | None = None
    """Size of /dev/shm; absent: as much as the pod's memory."""
    active_deadline: Duration | None = None
    """AI Core stops a run that takes longer, whoever started it. Training workflows only."""
    retry: Retry | None = None
    """Retries inside of one execution. Training workflows only."""
    volumes: Mapping[ObjectName, Volume] = Field(default_factory=dict)
    """Disks by name. Training workflows only."""
    scaling: Scaling | None = None
    """Replicas. Serving workflows only; absent: one replica."""
    title: Line | None = None
    """Name for people (annotation `executables.ai.sap.com/name`); the id when absent."""
    description: Text | None = None
    """What it does (annotation `executables.ai.sap.com/description`)."""

    @model_validator(mode="after")
    def _one_machine_size(self) -> Executable:
        if (self.resource_plan is None) == (self.instance_type is None):
            raise PydanticCustomError("machine_size", "give exactly one of `resourcePlan` and `instanceType`")
        return self

    @property
    def uses_gpu(self) -> bool:
        """Whether the image is built on CUDA."""
        return self.gpu if self.gpu is not None else self.resource_plan in GPU_PLANS
