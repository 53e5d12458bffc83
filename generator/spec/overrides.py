"""What an environment may change in a scenario: images, secrets, machine sizes, parameters, runs.

Only what may rightly differ between places can be named here; which workflow an executable is, and on which
data a configuration works, is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.executable import Retry, Scaling, Volume
from generator.spec.model import SpecModel
from generator.spec.runs import Suspend
from generator.spec.types import (
    DockerSecretName,
    Duration,
    ExecutableId,
    Image,
    InstanceType,
    ObjectName,
    ParameterValue,
    Quantity,
    ResourcePlan,
    Timestamp,
)


class ExecutableOverrides(SpecModel):
    """Fields of an executable that take another value here; what is absent stays."""

    image: Image | None = None
    """Another image."""
    image_pull_secret: DockerSecretName | None = None
    """Another docker registry secret."""
    resource_plan: ResourcePlan | None = None
    """Another machine size; takes the place of `instanceType` too."""
    instance_type: InstanceType | None = None
    """Another machine size; takes the place of `resourcePlan` too."""
    gpu: StrictBool | None = None
    """Base image with CUDA or without."""
    shared_memory: Quantity | None = None
    """Another size of /dev/shm."""
    active_deadline: Duration | None = None
    """Another deadline."""
    retry: Retry | None = None
    """Other retries."""
    volumes: Mapping[ObjectName, Volume] | None = None
    """Other disks, in place of all of the scenario's."""
    scaling: Scaling | None = None
    """Other numbers of replicas."""

    @model_validator(mode="after")
    def _one_machine_size(self) -> ExecutableOverrides:
        if self.resource_plan is not None and self.instance_type is not None:
            raise PydanticCustomError("machine_size", "give one of `resourcePlan` and `instanceType`")
        return self


class ConfigurationOverrides(SpecModel):
    """Parameters that take another value here."""

    parameters: Annotated[Mapping[str, ParameterValue], Field(min_length=1)]
    """Laid over the configuration's own `parameters`; a matrix or list still goes before them."""


class ExecutionOverrides(SpecModel):
    """Runs that are wanted differently here; what is absent stays."""

    want: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    """Completed runs wanted; 0 switches the execution off here."""
    retries: Annotated[StrictInt, Field(ge=0, le=20)] | None = None
    """Failed runs that may be tried again."""
    timeout: Duration | None = None
    """A run that takes longer is stopped."""
    max_parallel: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    """Most runs of this execution at one time."""
    suspend: Suspend | None = None
    """Start nothing here for now."""
    rerun_after: Timestamp | None = None
    """Only runs created after this time count here."""


class ScenarioOverrides(SpecModel):
    """What differs for one scenario."""

    executables: Mapping[ExecutableId, ExecutableOverrides] = Field(default_factory=dict)
    """By executable."""
    configurations: Mapping[ObjectName, ConfigurationOverrides] = Field(default_factory=dict)
    """By configuration."""
    executions: Mapping[ObjectName, ExecutionOverrides] = Field(default_factory=dict)
    """By execution."""
