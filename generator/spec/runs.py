"""What runs and what is served: executions and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.adopt import AdoptedDeployment, check_observe
from generator.spec.model import SpecModel
from generator.spec.types import (
    Duration,
    ExecutableId,
    Line,
    ObjectName,
    ParameterValue,
    Timestamp,
    TimeToLive,
)


class Suspend(SpecModel):
    """Nothing is started or changed for a while; what runs goes on."""

    reason: Line
    """Why, for whoever finds it."""
    until: Timestamp | None = None
    """When it ends by itself; absent: when the block is removed."""


class Execution(SpecModel):
    """How often a configuration shall have run."""

    configuration: Line
    """Configuration of this scenario; one with a matrix or list runs every child."""
    want: Annotated[StrictInt, Field(ge=0, le=100)] = 1
    """Completed runs wanted."""
    retries: Annotated[StrictInt, Field(ge=0, le=20)] = 2
    """Failed runs that may be tried again before the execution counts as stalled."""
    backoff: Duration | None = None
    """Wait before a failed run is tried again, twice as long each time; absent: none."""
    timeout: Duration | None = None
    """A run that takes longer is stopped: `30m`, `6h`, `2h30m`."""
    rerun_after: Timestamp | None = None
    """Only runs created after this time count (RFC 3339 with time zone)."""
    max_parallel: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    """Most runs of this execution at one time."""
    depends_on: tuple[ObjectName, ...] = ()
    """Executions of this scenario that must have completed first; `from:` inputs depend by themselves."""
    suspend: Suspend | None = None
    """Start nothing for now."""
    protect: StrictBool = False
    """Never stop or delete its runs: not after their `timeout`, and not after this block is gone."""


class BestOf(SpecModel):
    """The best model of some executions."""

    of: Annotated[tuple[Line, ...], Field(min_length=1)]
    """Executions of this scenario."""
    metric: Line
    """Metric that decides, such as `mAP/allClasses`."""
    at_least: StrictInt | StrictFloat | None = None
    """A model below this value is never served."""


class DeploymentInput(SpecModel):
    """Where a served model comes from: give `best` or `dataset`."""

    best: BestOf | None = None
    """Take the best model of these executions."""
    dataset: ObjectName | None = None
    """Take this dataset or artifact (of kind model)."""

    @model_validator(mode="after")
    def _one_origin(self) -> DeploymentInput:
        if (self.best is None) == (self.dataset is None):
            raise PydanticCustomError("model_origin", "give exactly one of `best` and `dataset`")
        return self


class Deployment(SpecModel):
    """A model server."""

    executable: ExecutableId
    """Executable of this scenario; its workflow must be a serving workflow."""
    inputs: Mapping[str, DeploymentInput] = Field(default_factory=dict)
    """Input artifact of the workflow -> model."""
    parameters: Mapping[str, ParameterValue] = Field(default_factory=dict)
    """Parameters of the workflow."""
    ttl: TimeToLive | None = None
    """AI Core removes the server after this time: `10m`, `12h`, `7d`; absent: never."""
    suspend: Suspend | None = None
    """Change nothing for now; a server that runs goes on."""
    protect: StrictBool = False
    """Never stop or delete its server, not even after this block is gone."""
    adopt: AdoptedDeployment | None = None
    """The server that AI Core has of this already, started by somebody else."""
    observe: StrictBool = False
    """Only look at it: start and change nothing. Its executable may be anybody's."""

    @model_validator(mode="after")
    def _adopts_one(self) -> Deployment:
        check_observe(self.adopt, self.observe)
        return self
