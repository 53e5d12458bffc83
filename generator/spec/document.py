"""`kind: Scenario`: what shall be trained. One file is one scenario; things are maps keyed by their name.

The models are frozen and refuse unknown keys. In YAML the keys are camelCase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.executable import Executable
from generator.spec.model import ArtifactKind, SpecModel
from generator.spec.types import (
    Duration,
    ExecutableId,
    LabelKey,
    LabelValue,
    Line,
    ObjectName,
    ObjectStoreName,
    ParameterValue,
    RelativePath,
    ScenarioId,
    Text,
    Timestamp,
    Version,
)


class ScenarioMetadata(SpecModel):
    """Who the scenario is."""

    name: ScenarioId
    """Scenario id in AI Core (label `scenarios.ai.sap.com/id`)."""
    title: Line | None = None
    """Name for people (annotation `scenarios.ai.sap.com/name`); the id when absent."""
    description: Text | None = None
    """What the scenario is for (annotation `scenarios.ai.sap.com/description`)."""
    version: Version = "0.0.1"
    """Version of its executables (label `ai.sap.com/version`)."""
    labels: Mapping[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels for people and tools; each key begins with `ext.ai.sap.com/`. They never cause a new training.
    """


class Dataset(SpecModel):
    """Files that a training reads; uploaded to an object store under their fingerprint."""

    kind: ArtifactKind = "dataset"
    """Kind of the AI Core artifact."""
    source: Line
    """Folder on this machine, relative to the project root."""
    object_store: ObjectStoreName = "default"
    """Name of the object store; each environment says what lies behind it."""
    path: RelativePath
    """Folder in the object store; the fingerprint is appended."""
    description: Text | None = None
    """What the data shows."""

    @model_validator(mode="after")
    def _folder(self) -> Dataset:
        if "://" in self.source:
            raise PydanticCustomError(
                "dataset_source", "only a folder can be a `source` yet; download the data and name its folder"
            )
        if self.source.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz")):
            raise PydanticCustomError(
                "dataset_source",
                "only a folder can be a `source` yet; unpack the archive and name its folder",
            )
        return self


class Configuration(SpecModel):
    """What one run of an executable works on: inputs and parameters. `matrix` and `list` make it a family."""

    executable: ExecutableId
    """Executable of this scenario."""
    inputs: Mapping[str, ObjectName] = Field(default_factory=dict)
    """Input artifact of the workflow -> dataset of this scenario."""
    parameters: Mapping[str, ParameterValue] = Field(default_factory=dict)
    """Parameters of the workflow; what is absent takes the catalogue's default."""
    matrix: Mapping[str, Annotated[tuple[ParameterValue, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Parameter -> values: one configuration for every combination."""
    entries: tuple[Annotated[Mapping[str, ParameterValue], Field(min_length=1)], ...] = Field(
        default=(), alias="list"
    )
    """One configuration for every entry, its values laid over `parameters`."""


class Execution(SpecModel):
    """How often a configuration shall have run."""

    configuration: Line
    """Configuration of this scenario; one with a matrix or list runs every child."""
    want: Annotated[StrictInt, Field(ge=0, le=100)] = 1
    """Completed runs wanted."""
    retries: Annotated[StrictInt, Field(ge=0, le=20)] = 2
    """Failed runs that may be tried again before the execution counts as stalled."""
    timeout: Duration | None = None
    """A run that takes longer is stopped: `30m`, `6h`, `2h30m`."""
    rerun_after: Timestamp | None = None
    """Only runs created after this time count (RFC 3339 with time zone)."""
    max_parallel: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    """Most runs of this execution at one time."""


class BestOf(SpecModel):
    """The best model of some executions."""

    of: Annotated[tuple[Line, ...], Field(min_length=1)]
    """Executions of this scenario."""
    metric: Line
    """Metric that decides, such as `mAP/allClasses`."""
    at_least: StrictFloat | StrictInt | None = None
    """A model below this value is never served."""


class DeploymentInput(SpecModel):
    """Where a served model comes from."""

    best: BestOf
    """Take the best model of these executions."""


class Deployment(SpecModel):
    """A model server. The language has it; `corespec plan` says that it is not reconciled yet."""

    executable: ExecutableId
    """Executable of this scenario; its workflow must be a serving workflow."""
    inputs: Mapping[str, DeploymentInput] = Field(default_factory=dict)
    """Input artifact of the workflow -> model."""
    parameters: Mapping[str, ParameterValue] = Field(default_factory=dict)
    """Parameters of the workflow."""


class Scenario(SpecModel):
    """One scenario of AI Core and everything in it."""

    api_version: Literal["corespec/v1"]
    """Version of the spec language."""
    kind: Literal["Scenario"]
    """Kind of document."""
    metadata: ScenarioMetadata
    """Who the scenario is."""
    executables: Mapping[ExecutableId, Executable] = Field(default_factory=dict)
    """Templates; the key is the executable id, unique in the whole tenant."""
    datasets: Mapping[ObjectName, Dataset] = Field(default_factory=dict)
    """Data; the key is how configurations refer to it."""
    configurations: Mapping[ObjectName, Configuration] = Field(default_factory=dict)
    """Inputs and parameters of runs."""
    executions: Mapping[ObjectName, Execution] = Field(default_factory=dict)
    """Runs wanted."""
    deployments: Mapping[ObjectName, Deployment] = Field(default_factory=dict)
    """Model servers wanted."""
