"""`kind: Scenario`: what shall be trained. One file is one scenario; things are maps keyed by their name.

The models are frozen and refuse unknown keys. In YAML the keys are camelCase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator
from pydantic_core import PydanticCustomError

from generator.spec.adopt import AdoptedConfiguration, KnownArtifact, check_observe
from generator.spec.executable import Executable
from generator.spec.model import ArtifactKind, SpecModel
from generator.spec.runs import Deployment, Execution
from generator.spec.types import (
    ExecutableId,
    ExecutionOutput,
    LabelKey,
    LabelValue,
    Line,
    ObjectName,
    ObjectStoreName,
    ParameterValue,
    RelativePath,
    ScenarioId,
    Sha256,
    Text,
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
    """Where the files are: a folder or an archive (.zip, .tar, .tar.gz, .tgz) relative to the project root,
    an https URL of an archive or file (then `sha256` is needed), or `s3://bucket/prefix`."""
    sha256: Sha256 | None = None
    """SHA-256 of the archive or file behind an https URL, 64 hexadecimal digits."""
    object_store: ObjectStoreName = "default"
    """Name of the object store; each environment says what lies behind it."""
    path: RelativePath
    """Folder in the object store; the fingerprint is appended."""
    description: Text | None = None
    """What the data shows."""

    @model_validator(mode="after")
    def _known_source(self) -> Dataset:
        scheme = self.source.partition("://")[0] if "://" in self.source else ""
        if scheme not in {"", "https", "s3"}:
            raise PydanticCustomError(
                "dataset_source", "must be a folder, an archive, an https URL or `s3://bucket/prefix`"
            )
        if (scheme == "https") != (self.sha256 is not None):
            raise PydanticCustomError(
                "dataset_source",
                "`sha256` belongs to an https URL, and an https URL needs it",
            )
        return self


class OutputOf(SpecModel):
    """The output artifact of another execution as an input."""

    from_: Annotated[ExecutionOutput, Field(alias="from")]
    """`<execution>.<output artifact>` of this scenario: `train.trainedmodel`."""


def _form(value: object) -> str:
    """An input is told by its form: text is a dataset's name, a mapping speaks of an output."""
    return "output" if isinstance(value, dict | OutputOf) else "dataset"


ConfigurationInput = Annotated[
    Annotated[ObjectName, Tag("dataset")] | Annotated[OutputOf, Tag("output")], Discriminator(_form)
]


class Configuration(SpecModel):
    """What one run of an executable works on: inputs and parameters. `matrix` and `list` make it a family."""

    executable: ExecutableId
    """Executable of this scenario."""
    inputs: Mapping[str, ConfigurationInput] = Field(default_factory=dict)
    """Input artifact of the workflow -> dataset or artifact of this scenario, or
    `{from: <execution>.<output>}`."""
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
    adopt: AdoptedConfiguration | None = None
    """The configuration that AI Core has of this already, made by somebody else."""
    observe: StrictBool = False
    """Only look at what is adopted: start, create and stop nothing. Its executable may be anybody's."""

    @model_validator(mode="after")
    def _adopts_one(self) -> Configuration:
        check_observe(self.adopt, self.observe)
        if self.adopt is not None and (self.matrix or self.entries):
            raise PydanticCustomError(
                "adopt_family", "`adopt` names one configuration; remove `matrix` and `list`"
            )
        return self


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
    artifacts: Mapping[ObjectName, KnownArtifact] = Field(default_factory=dict)
    """Artifacts that AI Core has already; configurations and deployments refer to them as to datasets."""
    configurations: Mapping[ObjectName, Configuration] = Field(default_factory=dict)
    """Inputs and parameters of runs."""
    executions: Mapping[ObjectName, Execution] = Field(default_factory=dict)
    """Runs wanted."""
    deployments: Mapping[ObjectName, Deployment] = Field(default_factory=dict)
    """Model servers wanted."""
